"""Backbones, registered on import."""

from .sa_convmixer import SAConvMixer, convert_stem

__all__ = ['SAConvMixer', 'convert_stem']
