"""Data sets and transforms that the hosts lack, registered on import."""

from sacm_mm.core import quiet_hosts  # noqa: F401  (before the others)

from .cifar10 import CIFAR10Dataset
from .depth import CheckedDepthDataset, CityscapesDepthDataset, KITTIDepthDataset, NYUDataset
from .depth_transforms import (
    LoadCityscapesDepth,
    LoadDepthAnnotation,
    RandomDepthResize,
    RandomDepthRotate,
)
from .flips import AlternatingFlip
from .folders import FolderClsDataset, FolderDepthDataset, FolderSegDataset
from .picture_transforms import LoadPicture, RandomExposure
from .segmentation import (
    ADE20KDataset,
    CamVidDataset,
    CheckedSegDataset,
    CityscapesDataset,
    VOCDataset,
)
from .transforms import LoadAnnotations, LoadImageFromFile

__all__ = [
    'ADE20KDataset',
    'AlternatingFlip',
    'CIFAR10Dataset',
    'CamVidDataset',
    'CheckedDepthDataset',
    'CheckedSegDataset',
    'CityscapesDataset',
    'CityscapesDepthDataset',
    'FolderClsDataset',
    'FolderDepthDataset',
    'FolderSegDataset',
    'KITTIDepthDataset',
    'LoadAnnotations',
    'LoadCityscapesDepth',
    'LoadDepthAnnotation',
    'LoadImageFromFile',
    'LoadPicture',
    'NYUDataset',
    'RandomDepthResize',
    'RandomDepthRotate',
    'RandomExposure',
    'VOCDataset',
]
