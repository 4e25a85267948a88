"""Data sets and transforms that the hosts lack, registered when a registry is first asked for one.

The names below are loaded on first use: reading pictures and the files of a data set needs no host.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from sacm_mm.registry import DATASETS, TRANSFORMS

    return DATASETS.get(name) or TRANSFORMS.get(name)
