"""Data sets and transforms that the hosts lack, registered on import."""

from .segmentation import CamVidDataset, CheckedSegDataset, VOCDataset
from .transforms import LoadAnnotations, LoadImageFromFile

__all__ = [
    'CamVidDataset',
    'CheckedSegDataset',
    'LoadAnnotations',
    'LoadImageFromFile',
    'VOCDataset',
]
