"""Data sets of one's own: folders of pictures of any kind, as ``sacm data`` writes them.

They know a folder by its ``dataset.yaml``, or are told classes and folders like any other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine import fileio
from mmpretrain.datasets import BaseDataset as MMPretrainDataset

from sacm_mm.core.errors import UserError
from sacm_mm.registry import DATASETS

from . import dataset_file
from .depth import CheckedDepthDataset
from .folds import folds_of
from .picture_files import find_pictures
from .segmentation import CheckedSegDataset
from .transforms import use_checked_loaders

Fold = Sequence[int] | None  # its number, from 1 on, and how many there are
_FOLDED = ('train', 'val')  # parts that folds are made of; test stays what it is


class _FolderMixin:
    """Lists pictures of any suffix, in folders of any depth."""

    HOW_TO_GET = "name a folder that 'sacm data' wrote as data_root, or set data_prefix"
    TASK: str  # as ``dataset.yaml`` calls it
    FOLDERS = {'img_path': 'images'}
    data_prefix: dict
    data_root: str
    ann_file: str
    _categories: list[dataset_file.Category]  # of ``dataset.yaml``

    def __init__(
        self, data_root: str = '', split: str | None = None, fold: Fold = None, **kwargs
    ) -> None:
        super().__init__(**self._known(data_root, split, fold, kwargs))

    def _list_samples(self) -> list[dict]:
        if self.ann_file:  # a list of names, as the hosts read it
            return super()._list_samples()  # type: ignore[misc]
        folder = Path(self.data_prefix['img_path'])
        pictures = find_pictures(folder) if self._fold is None else self._of_fold(folder)
        return [self._sample(path, path.relative_to(folder)) for path in pictures]

    def _sample(self: Any, path: Path, name: Path) -> dict:
        info = dict(
            img_path=str(path), label_map=self.label_map,
            reduce_zero_label=self.reduce_zero_label, seg_fields=[],
        )  # fmt: skip
        if masks := self.data_prefix.get('seg_map_path'):
            info['seg_map_path'] = str(Path(masks, name).with_suffix(self.seg_map_suffix))
        return info

    def _of_fold(self, folder: Path, by_class: bool = False) -> list[Path]:
        """List the pictures that a fold validates on, or those that it trains on."""
        assert self._fold is not None
        number, folds = self._fold
        wishes = dataset_file.read_dataset_file(Path(self.data_root)).get('split') or {}
        parts = [folder / part for part in _FOLDED if (folder / part).is_dir()]
        found = [(path, path.relative_to(p)) for p in parts for path in find_pictures(p)]
        chosen = folds_of(
            [name.with_suffix('').as_posix() for _, name in found],
            folds,
            int(wishes.get('seed') or 0),
            wishes.get('group'),
            [name.parts[0] for _, name in found] if by_class else None,
        )
        held_out = self._split == 'val'
        return [path for (path, _), fold in zip(found, chosen) if (fold == number) == held_out]

    def _known(self, data_root: str, split: str | None, fold: Fold, options: dict) -> dict:
        """Take classes and folders from ``dataset.yaml`` where they are not given.

        Raises:
            UserError: There is no such file, it is of another task, or the part does not exist.
        """
        self._split, self._fold, self._categories = split, fold, []
        _check_fold(split, fold)
        if split is None:
            return {'data_root': data_root, **options}
        folder = Path(data_root)
        content = dataset_file.read_dataset_file(folder)
        if content['task'] != self.TASK:
            raise UserError(
                f"'{folder}' is a data set of {content['task']}, not of {self.TASK}: take the "
                'ready config in it'
            )
        counts = content['counts']
        if not counts.get(split):
            there = ', '.join(part for part in counts if counts[part])
            raise UserError(f"'{folder}' has no part '{split}': it has {there}")
        classes = self._categories = dataset_file.categories(content, folder / dataset_file.NAME)
        meta: dict[str, Any] = {}
        if classes:
            meta = dict(
                classes=tuple(c.name for c in classes), palette=[list(c.colour) for c in classes]
            )
        # a fold has pictures of two parts
        prefix = {key: name if fold else f'{name}/{split}' for key, name in self.FOLDERS.items()}
        return {
            'data_root': data_root,
            **options,
            'metainfo': {**meta, **(options.get('metainfo') or {})},
            'data_prefix': {**prefix, **(options.get('data_prefix') or {})},
        }


def _check_fold(split: str | None, fold: Fold) -> None:
    if fold is None:
        return
    if split not in _FOLDED:
        raise UserError(f"folds are made of the parts train and val, not of '{split}'")
    if len(fold) != 2 or fold[1] < 2 or not 1 <= fold[0] <= fold[1]:
        raise UserError(f'fold {list(fold)} is none: give its number and how many, (2, 5)')


@DATASETS.register_module()
class FolderSegDataset(_FolderMixin, CheckedSegDataset):
    """Pictures of any kind and suffix, and masks of the same names; 255 is ignored.

    With ``split`` it reads a folder that ``sacm data`` wrote: ``<data_root>/images/<split>``,
    ``masks/<split>`` and ``dataset.yaml``, which has the classes. Without, it takes ``metainfo``
    and ``data_prefix`` like any data set of the host, in stock configs too. Subclass it for data
    that is laid out in another way, and override ``METAINFO`` or ``_list_samples``.

    Args:
        data_root: Folder of the data set.
        split: Part of a folder of ``sacm data``: train, val or test.
        fold: ``(2, 5)``: of train and val together a fifth is validated on, and the rest trains.
        **kwargs: ``mmseg.BaseSegDataset``'s.

    Raises:
        UserError: A folder, list, picture or mask is missing, or ``split`` does not exist.
    """

    TASK = 'segmentation'
    FOLDERS = {'img_path': 'images', 'seg_map_path': 'masks'}


@DATASETS.register_module()
class FolderDepthDataset(_FolderMixin, CheckedDepthDataset):
    """Pictures of any kind and suffix, and 16-bit depth maps of the same names; 0 is invalid.

    Layout with ``split``: ``<data_root>/{images,depth}/<split>``, see ``FolderSegDataset``.

    Args:
        **kwargs: ``FolderSegDataset``'s and ``CheckedDepthDataset``'s.

    Raises:
        UserError: A folder, list, picture or map is missing, or ``split`` does not exist.
    """

    METAINFO: dict = {'classes': (), 'palette': []}
    TASK = 'depth'
    FOLDERS = {'img_path': 'images', 'depth_map_path': 'depth'}

    def _sample(self, path: Path, name: Path) -> dict:
        if 'depth_map_path' not in self.data_prefix:
            raise UserError(f"data_prefix of {type(self).__name__} has no 'depth_map_path'")
        info = super()._sample(path, name)
        if depths := self.data_prefix['depth_map_path']:
            info['depth_map_path'] = str(Path(depths, name).with_suffix(self.depth_map_suffix))
        return info


@DATASETS.register_module()
class FolderClsDataset(_FolderMixin, MMPretrainDataset):
    """Pictures of any kind and suffix in folders of their classes' names.

    Layout with ``split``: ``<data_root>/images/<split>/<class>/*``, see ``FolderSegDataset``;
    without, ``<data_root>/<data_prefix>/<class>/*``.

    Args:
        pipeline: Transforms; the hosts' loaders are replaced by those that name what is wrong.
        **kwargs: ``FolderSegDataset``'s own and ``mmpretrain.BaseDataset``'s.

    Raises:
        UserError: A folder is missing or empty, or is none of the classes.
    """

    TASK = 'classification'

    def __init__(self, *args, pipeline: Sequence = (), **kwargs) -> None:
        if isinstance(kwargs.get('data_prefix'), str):
            kwargs['data_prefix'] = dict(img_path=kwargs['data_prefix'])
        pipeline = use_checked_loaders(list(pipeline))
        super().__init__(*args, ann_file='', pipeline=pipeline, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the pictures and their labels."""
        root = Path(self.data_prefix.get('img_path') or self.data_root)
        if not fileio.isdir(str(root)):
            raise UserError(f"data folder '{root}' does not exist: {self.HOW_TO_GET}")
        parts = [root / part for part in _FOLDED] if self._fold else [root]
        folders = {p.name for part in parts if part.is_dir() for p in part.iterdir() if p.is_dir()}
        folders = {name for name in folders if not name.startswith('.')}
        called = {f: dataset_file.class_of_folder(f, self._categories) for f in sorted(folders)}
        classes = list(self.metainfo.get('classes') or called)
        unknown = [name for name in called if called[name] not in classes]
        if unknown:
            raise UserError(f"folder '{unknown[0]}' in '{root}' is none of the classes {classes}")
        self._metainfo['classes'] = tuple(classes)
        if self._fold:
            pictures = [(p, p.relative_to(root).parts[1]) for p in self._of_fold(root, True)]
        else:
            there = sorted(called, key=lambda name: classes.index(called[name]))
            pictures = [(path, name) for name in there for path in find_pictures(root / name)]
        if not pictures:
            raise UserError(f"no pictures in '{root}': it needs one folder a class")
        label = {name: classes.index(called[name]) for name in called}
        return [dict(img_path=str(path), gt_label=label[name]) for path, name in pictures]
