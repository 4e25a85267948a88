"""Metrics that the hosts lack, registered on import."""

from .per_image_iou import PerImageIoUMetric

__all__ = ['PerImageIoUMetric']
