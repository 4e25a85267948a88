"""Backbones, registered on import."""

from .conv_mlp import ConvMLP
from .cs_mixer import CSMixer
from .sa_convmixer import SAConvMixer, convert_stem

__all__ = ['CSMixer', 'ConvMLP', 'SAConvMixer', 'convert_stem']
