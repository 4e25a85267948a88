"""Masked-image starts: SparK for isotropic ConvMixers, on mmpretrain's.

A config names this package in ``custom_imports``, since it loads mmpretrain's models.
"""

from .decoder import PixelShuffleDecoder
from .spark import SparK
from .sparse_convmixer import SparseSAConvMixer

__all__ = ['PixelShuffleDecoder', 'SparK', 'SparseSAConvMixer']
