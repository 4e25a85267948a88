"""Put any backbone into any stock config."""

from .checking import check_config
from .foreign import notes
from .listing import BackboneInfo, list_backbones
from .names import find_backbone
from .record import check_out, describe_changes, restored, write_config
from .swapping import swap_backbone, swap_for_training

__all__ = [
    'BackboneInfo',
    'check_config',
    'check_out',
    'describe_changes',
    'find_backbone',
    'list_backbones',
    'notes',
    'restored',
    'swap_backbone',
    'swap_for_training',
    'write_config',
]
