"""Necks, registered on import."""

from .pixel_shuffle_pyramid import PixelShufflePyramid

__all__ = ['PixelShufflePyramid']
