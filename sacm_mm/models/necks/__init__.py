"""Necks, registered on import."""

from .channel_projection import ChannelProjection
from .feature_form import FeatureForm
from .pixel_shuffle_pyramid import PixelShufflePyramid

__all__ = ['ChannelProjection', 'FeatureForm', 'PixelShufflePyramid']
