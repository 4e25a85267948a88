"""Metrics that the hosts lack, registered on import."""

from .depth_metric import DepthMetric
from .per_image_iou import PerImageIoUMetric

__all__ = ['DepthMetric', 'PerImageIoUMetric']
