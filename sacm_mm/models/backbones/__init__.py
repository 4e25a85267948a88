"""Backbones, registered when a registry is first asked for one."""
