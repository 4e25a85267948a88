"""Networks of other people's code as backbones, registered when a registry is first asked."""
