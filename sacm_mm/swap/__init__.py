"""Put any backbone into any stock config."""

from .listing import BackboneInfo, list_backbones
from .names import find_backbone

__all__ = ['BackboneInfo', 'find_backbone', 'list_backbones']
