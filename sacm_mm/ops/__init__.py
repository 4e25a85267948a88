"""Operators that the models share."""

from .depthwise import DepthwiseConv2d, depthwise_conv2d
from .mixer import use_fused

__all__ = ['DepthwiseConv2d', 'depthwise_conv2d', 'use_fused']
