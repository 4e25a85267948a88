"""Heads, registered on import."""

from .pixel_shuffle_depth_head import PixelShuffleDepthHead
from .pixel_shuffle_head import PixelShuffleHead

__all__ = ['PixelShuffleDepthHead', 'PixelShuffleHead']
