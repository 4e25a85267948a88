"""Data sets and transforms that the hosts lack, registered on import."""

from .cifar10 import CIFAR10Dataset
from .segmentation import CamVidDataset, CheckedSegDataset, VOCDataset
from .transforms import LoadAnnotations, LoadImageFromFile

__all__ = [
    'CIFAR10Dataset',
    'CamVidDataset',
    'CheckedSegDataset',
    'LoadAnnotations',
    'LoadImageFromFile',
    'VOCDataset',
]
