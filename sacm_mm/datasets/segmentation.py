"""Segmentation data sets that say what is wrong with the data before training starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine import fileio
from mmseg.datasets import ADE20KDataset as MMSegADE20KDataset
from mmseg.datasets import BaseSegDataset, PascalVOCDataset
from mmseg.datasets import CityscapesDataset as MMSegCityscapesDataset

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.registry import DATASETS

from .transforms import LoadAnnotations, use_checked_loaders


class CheckedSegDataset(BaseSegDataset):
    """A ``BaseSegDataset`` that checks its folders and files when it is loaded.

    Where a pipeline names the hosts' loaders it loads with ``sacm_mm.LoadImageFromFile`` and
    ``sacm_mm.LoadAnnotations``, which check mask values against the number of classes.

    Raises:
        UserError: A folder or list is missing, holds nothing, or an image or its mask is missing.
    """

    HOW_TO_GET = ''  # how a user gets the data: it ends every message about missing files
    # What a sample may consist of: the key of its path, which is that of its folder too.
    PARTS = {'img_path': 'image', 'seg_map_path': 'mask'}

    def __init__(self, *, pipeline: Sequence = (), **kwargs) -> None:
        super().__init__(pipeline=use_checked_loaders(list(pipeline)), **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence | None = None) -> dict | None:
        """Map the classes of the masks to those that are asked for.

        Raises:
            UserError: One of these is not a class of the data set.
        """
        known = cls.METAINFO.get('classes')
        unknown = sorted(set(new_classes or ()) - set(known or new_classes or ()))
        if unknown:
            raise UserError(
                f"{cls.__name__} has no class '{unknown[0]}': its masks hold {len(known or ())} "
                f'classes, from {", ".join((known or ())[:3])} on; take sacm_mm.FolderSegDataset '
                'for classes of your own'
            )
        return super().get_label_map(new_classes)

    def load_data_list(self) -> list[dict]:
        """List the samples; each has its image, its mask and the number of classes."""
        img_dir = self.data_prefix.get('img_path') or ''
        for folder in (self.data_prefix.get(key) for key in self.PARTS):
            if folder and not fileio.isdir(folder, backend_args=self.backend_args):
                raise UserError(f"data folder '{folder}' does not exist: {self.HOW_TO_GET}")
        if self.ann_file and not fileio.exists(self.ann_file, backend_args=self.backend_args):
            raise UserError(f"image list '{self.ann_file}' does not exist: {self.HOW_TO_GET}")
        data_list = self._list_samples()
        if not data_list:
            source = self.ann_file or f'{img_dir}/*{self.img_suffix}'
            raise UserError(f"no images in '{source}': {self.HOW_TO_GET}")
        for info in data_list:
            self._check_files(info)
            info['num_classes'] = len(self.metainfo['classes'])
        return data_list

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes in a picture, of its mask; for balanced sampling."""
        info = self.get_data_info(idx)
        if 'seg_map_path' not in info:
            return []
        found = np.unique(LoadAnnotations()(info)['gt_seg_map'])
        return [int(label) for label in found if label != IGNORE_INDEX]

    def _list_samples(self) -> list[dict]:
        """List the samples without looking at their files."""
        return super().load_data_list()

    def _check_files(self, info: dict) -> None:
        for key, part in self.PARTS.items():
            path = info.get(key)
            if path and not fileio.exists(path, backend_args=self.backend_args):
                what = part if key == 'img_path' else f"{part} of image '{info['img_path']}'"
                raise UserError(f"{what} not found: '{path}' does not exist; add or unlist it")


@DATASETS.register_module()
class VOCDataset(CheckedSegDataset, PascalVOCDataset):
    """PASCAL VOC2012 segmentation, 21 classes with background; label 255 is ignored.

    Layout: ``<data_root>/{JPEGImages, SegmentationClass, ImageSets/Segmentation}``.
    """

    HOW_TO_GET = (
        'put VOC2012 there (VOCdevkit/VOC2012), set SACM_DATA to the folder with VOCdevkit, or '
        "make a sample set with 'python tools/make_sample_data.py voc --out data/sample' and "
        'SACM_DATA=data/sample'
    )


@DATASETS.register_module()
class CamVidDataset(CheckedSegDataset):
    """CamVid in its SegNet version: 11 classes, 480x360 pixels; void (11) is ignored.

    Layout: ``<data_root>/{train,val,test}`` with images, ``<data_root>/{train,val,test}annot`` with
    PNG masks of the classes 0 to 10 and 11 for void. Void becomes 255 when a mask is loaded, so
    that the hosts' losses, padding and metrics ignore it without any setting of their own.

    Source: Brostow et al., "Semantic object classes in video", 2009; classes of SegNet (2015).

    Args:
        img_suffix: Ending of the images; None takes .png, or .jpg where there is no .png.
        also: Folders whose samples follow those of ``data_prefix``, with the same keys. A
            ``ConcatDataset`` would hide from the sampler which image is drawn.
        **kwargs: ``mmseg.BaseSegDataset``'s.
    """

    METAINFO = {
        'classes': (
            'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'signsymbol', 'fence', 'car',
            'pedestrian', 'bicyclist',
        ),
        'palette': [
            [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222],
            [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0],
            [0, 128, 192],
        ],
    }  # fmt: skip
    VOID = 11
    img_suffix: str | None
    data_prefix: dict[str, str]
    HOW_TO_GET = (
        'put CamVid there (SegNet version: train, trainannot, ...), set SACM_DATA to the folder '
        "that holds camvid, or make a sample set with 'python tools/make_sample_data.py camvid "
        "--out data/sample' and SACM_DATA=data/sample"
    )

    def __init__(
        self,
        img_suffix: str | None = None,
        also: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        self.also = also
        super().__init__(img_suffix=img_suffix, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the samples; masks map void to the ignored label."""
        if self.img_suffix is None:
            folder = Path(self.data_prefix.get('img_path') or '')
            self.img_suffix = '.png' if any(folder.glob('*.png')) else '.jpg'
        data_list = super().load_data_list()
        if self.also:
            own, root = self.data_prefix, Path(self.data_root or '')
            self.data_prefix = {key: str(root / folder) for key, folder in self.also.items()}
            data_list += super().load_data_list()
            self.data_prefix = own
        for info in data_list:
            info['label_map'] = {**(info['label_map'] or {}), self.VOID: IGNORE_INDEX}
        return data_list


@DATASETS.register_module()
class ADE20KDataset(CheckedSegDataset, MMSegADE20KDataset):
    """ADE20K in its scene parsing version: masks hold the classes 1 to 150, and 0 is ignored.

    Layout: ``<data_root>/{images,annotations}/{training,validation}``.
    """

    HOW_TO_GET = (
        'put ADEChallengeData2016 there as ade/ADEChallengeData2016, set SACM_DATA to the folder '
        "with ade, or make a sample set with 'python tools/make_sample_data.py ade20k --out "
        "data/sample' and SACM_DATA=data/sample"
    )


@DATASETS.register_module()
class CityscapesDataset(CheckedSegDataset, MMSegCityscapesDataset):
    """Cityscapes fine annotations, 19 classes; label 255 is ignored.

    Layout: ``<data_root>/{leftImg8bit,gtFine}/{train,val}/<city>``, with the masks
    ``*_gtFine_labelTrainIds.png`` that cityscapesscripts makes.
    """

    HOW_TO_GET = (
        "put Cityscapes there, with cityscapesscripts' labelTrainIds masks, set SACM_DATA to the "
        "folder with cityscapes, or make a sample set with 'python tools/make_sample_data.py "
        "cityscapes --out data/sample' and SACM_DATA=data/sample"
    )
