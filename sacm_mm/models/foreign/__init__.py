"""Networks of other people's code as backbones, registered on import."""

from .backbone import ForeignBackbone

__all__ = ['ForeignBackbone']
