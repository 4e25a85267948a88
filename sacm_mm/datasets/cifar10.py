"""CIFAR-10 in either of its layouts, held in memory."""

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.categories import CIFAR10_CATEGORIES

from sacm_mm.core.errors import UserError
from sacm_mm.core.pictures import check_picture
from sacm_mm.registry import DATASETS

from .picture_files import unreadable

_ARCHIVE = 'cifar-10-batches-py'
_BATCHES = {'train': [f'data_batch_{i}' for i in range(1, 6)], 'test': ['test_batch']}
# every tenth training picture, for choices that the test pictures must not make
_PARTS = ('train_without_val', 'val')
_HOW_TO_GET = (
    f'unpack cifar-10-python.tar.gz there ({_ARCHIVE}/data_batch_1, ...) or put class folders '
    'there (train/airplane/*, ..., test/truck/*), set SACM_DATA to the folder that holds cifar10, '
    "or make a sample set with 'python tools/make_sample_data.py cifar10 --out data/sample' and "
    'SACM_DATA=data/sample'
)


@DATASETS.register_module()
class CIFAR10Dataset(BaseDataset):
    """CIFAR-10, 32x32 pixels, from class folders of images or from the original Python archive.

    Layout: ``<data_root>/{train,test}/<class>/*``, or else ``<data_root>/cifar-10-batches-py/*``.
    A sample has ``img`` (32, 32, 3), BGR uint8, as ``LoadImageFromFile`` gives it; its pipeline
    starts after loading. Unlike ``mmpretrain.CIFAR10`` it downloads nothing, and reads the
    archive's pickles without executing what they may hold.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        data_root: Folder that holds either layout.
        split: ``'train'`` or ``'test'``; ``'val'``, every tenth picture of the training split, and
            ``'train_without_val'``, the others.
        **kwargs: ``mmpretrain.BaseDataset``'s.

    Raises:
        UserError: The data is missing, incomplete, or a file cannot be read.
    """

    METAINFO = {'classes': CIFAR10_CATEGORIES}

    def __init__(self, data_root: str, split: str = 'train', **kwargs) -> None:
        known = [*_BATCHES, *_PARTS]
        if split not in known:
            raise UserError(f"split '{split}' of CIFAR-10 does not exist: it has {known}")
        self.split = split
        super().__init__(ann_file='', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read all images and their labels, 0 to 9."""
        if self.split == 'val':
            return self._read('train')[::10]
        if self.split == 'train_without_val':
            return [sample for i, sample in enumerate(self._read('train')) if i % 10]
        return self._read(self.split)

    def _read(self, split: str) -> list[dict]:
        root = Path(self.data_root)
        if (root / split).is_dir():
            return self._read_folders(root / split)
        if (root / _ARCHIVE).is_dir():
            return [
                sample for name in _BATCHES[split] for sample in _read_batch(root / _ARCHIVE / name)
            ]
        raise UserError(f"data folder '{root / split}' does not exist: {_HOW_TO_GET}")

    def _read_folders(self, folder: Path) -> list[dict]:
        classes = self.metainfo['classes']
        found = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if found != sorted(classes):
            different = sorted(set(found) ^ set(classes))
            raise UserError(f"'{folder}' must hold the folders {list(classes)}: see {different}")
        return [
            dict(img=_read_image(path), gt_label=label)
            for label, name in enumerate(classes)
            for path in sorted((folder / name).iterdir())
        ]


def _read_image(path: Path) -> np.ndarray:
    check_picture(path)
    img = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if img is None:
        raise UserError(f"cannot read image '{path}': replace the file or remove it")
    if img.shape[:2] != (32, 32):
        raise UserError(f"image '{path}' is {img.shape[1]}x{img.shape[0]} pixels, not 32x32")
    return img


def _read_batch(path: Path) -> list[dict]:
    with unreadable(f"'{path}'", 'unpack cifar-10-python.tar.gz anew'):
        with path.open('rb') as file:
            batch = _ArrayUnpickler(file, encoding='latin1').load()
        pixels = np.asarray(batch['data'], np.uint8).reshape(-1, 3, 32, 32)
        labels = batch['labels']
    images = pixels[:, ::-1].transpose(0, 2, 3, 1)  # (N, RGB, H, W) -> (N, H, W, BGR)
    return [
        dict(img=np.ascontiguousarray(img), gt_label=int(label))
        for img, label in zip(images, labels, strict=True)
    ]


_ALLOWED = {
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('_codecs', 'encode'),  # bytes that Python 3 wrote for Python 2
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and what pickle itself knows; refuses to import anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it asks for {module}.{name}, which no CIFAR-10 file needs')
