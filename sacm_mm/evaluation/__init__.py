"""Metrics that the hosts lack, registered on import."""

from .depth_metric import DepthMetric
from .dump_results import DumpResults
from .per_image_iou import PerImageIoUMetric

__all__ = ['DepthMetric', 'DumpResults', 'PerImageIoUMetric']
