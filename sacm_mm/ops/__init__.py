"""Operators that the models share."""

from .depthwise import DepthwiseConv2d, depthwise_conv2d

__all__ = ['DepthwiseConv2d', 'depthwise_conv2d']
