"""Operators that the models share."""

from .depthwise import DepthwiseConv2d, depthwise_conv2d
from .mixer import fuse

__all__ = ['DepthwiseConv2d', 'depthwise_conv2d', 'fuse']
