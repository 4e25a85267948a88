"""The hosts' loading transforms, with errors that name the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations as MMSegLoadAnnotations
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.core.pictures import check_picture
from sacm_mm.registry import TRANSFORMS

from .picture_files import unreadable

FIX_OF_TRUTH = 'replace the file or take its image out of the data set'
_BITS = 258  # the tag of a TIFF's bits a channel
_CHECKED = ('LoadImageFromFile', 'LoadAnnotations')
_HOSTS = ('mmcv', 'mmseg')  # where those are from


def use_checked_loaders(pipeline: Any) -> Any:
    """Return a pipeline with this module's loaders in place of the hosts' of the same names.

    Configs keep the hosts' names: their inferencers look for those in ``test_pipeline``.
    """
    if isinstance(pipeline, Mapping):  # a transform; some, like TestTimeAug, hold others
        return {
            key: _checked(value) if key == 'type' else use_checked_loaders(value)
            for key, value in pipeline.items()
        }
    if isinstance(pipeline, list):
        return [use_checked_loaders(part) for part in pipeline]
    return pipeline


def _checked(kind: Any) -> Any:
    """Name ours for a host's loader, which may be a name, a class, or the path of one."""
    path = f'{kind.__module__}.{kind.__name__}' if isinstance(kind, type) else str(kind)
    *packages, name = path.split('.')
    of_host = not packages or packages[0] in _HOSTS
    return f'sacm_mm.{name}' if of_host and name in _CHECKED else kind


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """Load an image (H, W, 3), BGR uint8; the same as the host's.

    Raises:
        UserError: The file is missing or is not a readable image; the message names it.
    """

    def transform(self, results: dict) -> dict | None:
        check_picture(results['img_path'])
        if self.color_type != 'unchanged':
            _refuse_deep(results['img_path'])
        fix = 'replace the file or take it out of the data set'
        with unreadable(f"image '{results['img_path']}'", fix):
            return super().transform(results)


def _refuse_deep(path: str) -> None:
    """Refuse more than 8 bits a channel, of which OpenCV would keep 8 without a word."""
    if not path.lower().endswith(('.png', '.tif', '.tiff')):
        return
    try:
        with Path(path).open('rb') as file:
            head = file.read(25)
        if head.startswith(b'\x89PNG'):
            bits = head[24]
        else:
            with Image.open(path) as image:
                found = image.tag_v2.get(_BITS, 8)
            bits = max(found) if isinstance(found, tuple) else found
    except (OSError, IndexError, AttributeError, ValueError):
        return  # the decoder will say what is wrong
    if bits > 8:
        raise UserError(
            f"image '{path}' has {bits} bits a channel, of which this loader keeps 8: load it with "
            "dict(type='sacm_mm.LoadPicture', channels=...)"
        )


@TRANSFORMS.register_module()
class LoadAnnotations(MMSegLoadAnnotations):
    """Load a segmentation mask (H, W), uint8; the same as the host's, checked.

    The number of classes comes from a ``CheckedSegDataset``, or else from ``num_classes``; without
    either the values are not checked. Samples of a data set without masks pass.

    Args:
        num_classes: Classes, for data sets that do not say them with the sample.
        **kwargs: ``mmseg.LoadAnnotations``'s.

    Raises:
        UserError: The mask is unreadable, has colour channels or more than 8 bits, another size
            than its image, or a value that is neither a class nor 255; the message names the file.
    """

    def __init__(self, num_classes: int | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def _load_seg_map(self, results: dict) -> None:
        if 'seg_map_path' not in results:
            return
        path = results['seg_map_path']
        check_picture(path)
        with unreadable(f"mask '{path}'", FIX_OF_TRUTH):
            with Image.open(path) as mask:  # reads the header only
                mode = mask.mode
            if mode not in ('L', 'P', '1'):
                raise UserError(
                    f"mask '{path}' has pixel format {mode}: it must be one 8-bit channel that "
                    'holds the class of each pixel'
                )
            super()._load_seg_map(results)
        self._check(results, path)

    def _check(self, results: dict, path: str) -> None:
        mask = results['gt_seg_map']
        check_size('mask', path, mask.shape, results)
        num_classes = results.get('num_classes', self.num_classes)
        if num_classes is None:
            return
        # max first: a mask holds few values, np.unique sorts all its pixels
        labels = mask[mask != IGNORE_INDEX]
        if labels.size and labels.max() >= num_classes:
            wrong = np.unique(labels[labels >= num_classes]).tolist()
            raise UserError(
                f"mask '{path}' holds the value {wrong[0]}: the {num_classes} classes are "
                f'0..{num_classes - 1}, and {IGNORE_INDEX} is ignored'
            )


def check_size(what: str, path: str, found: tuple[int, ...], results: dict) -> None:
    """Refuse a mask or map of another size than its image file."""
    size = results.get('ori_shape', found)
    if found != tuple(size):
        raise UserError(
            f"{what} '{path}' is {found[1]}x{found[0]} pixels, but its image is "
            f'{size[1]}x{size[0]}: they must agree'
        )
