"""Operators that the models share."""

from .depthwise import DepthwiseConv2d, depthwise_conv2d
from .mixer_cpu import fuse
from .mixer_gpu import use_fused

__all__ = ['DepthwiseConv2d', 'depthwise_conv2d', 'fuse', 'use_fused']
