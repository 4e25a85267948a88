"""Do model and data fit each other? Said before training, in one line each.

What does not fit is a ``UserError`` that names the field and its right value.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmseg.datasets.transforms import LoadAnnotations as MMSegLoadAnnotations
from mmseg.models.decode_heads import STDCHead
from torch import nn

from sacm_mm.apis.checks import heads_of
from sacm_mm.core.checkpoints import dataset_meta_of
from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.datasets.transforms import LoadAnnotations
from sacm_mm.models.channels import input_channels
from sacm_mm.models.heads.pixel_shuffle_base import PixelShuffleBase

_SECONDS = 2.0  # for a look at the masks
_ENOUGH = 8  # masks of one value that tell that something is wrong


def check_fits(model: nn.Module, datasets: Mapping[str, Any]) -> None:
    """Compare a model with itself and with the data sets of a run.

    Masks of the hosts' own data sets are checked from here on too, as those of this project are.

    Args:
        model: The built model.
        datasets: The built data sets by the names of their loaders.
    """
    _check_patch(model)
    _check_channels(model)
    first: tuple[str, tuple[str, ...]] | None = None
    for name, dataset in datasets.items():
        classes = _classes(dataset)
        if classes:
            _check_classes(model, classes, name)
            _check_masks_while_loading(dataset, len(classes))
            first = first or (name, classes)
            _check_names(first, (name, classes))
    _check_weights(model)
    if 'train_dataloader' in datasets:
        _look_at_masks(datasets['train_dataloader'])


def _check_patch(model: nn.Module) -> None:
    """Compare the heads' pixel shuffle with the stride of the map that it gets."""
    backbone = getattr(model, 'backbone', None)
    strides = getattr(backbone, 'out_strides', None)
    if getattr(model, 'neck', None) is not None or not strides:
        return
    for name, head in heads_of(model):
        if not isinstance(head, PixelShuffleBase):
            continue
        index = head.in_index if isinstance(head.in_index, int) else head.in_index[0]
        stride, factor = strides[index], head.upscale_factor
        # the maps of other backbones may be coarser: interpolation fills in
        isotropic = getattr(backbone, 'patch_size', None) == stride
        if factor > stride or (isotropic and factor != stride):
            raise UserError(
                f'{name} has upscale_factor={factor}, but the backbone makes a token of '
                f'{stride}x{stride} pixels: set upscale_factor={stride}'
            )


def _check_channels(model: nn.Module) -> None:
    """Compare the channels of the normalization with those that the backbone takes."""
    mean = getattr(getattr(model, 'data_preprocessor', None), 'mean', None)
    wanted = input_channels(getattr(model, 'backbone', None))
    found = 0 if mean is None else mean.numel()
    if wanted is not None and found > 1 and wanted != found:
        raise UserError(
            f'data_preprocessor has {found} values of mean, but the backbone takes {wanted} '
            f'channels: set in_channels={found} of the backbone, or give {wanted} values'
        )


def _classes(dataset: Any) -> tuple[str, ...]:
    meta = getattr(dataset, 'metainfo', None) or {}
    return tuple(meta.get('classes') or ())


def _check_classes(model: nn.Module, classes: tuple[str, ...], name: str) -> None:
    for head_name, head in heads_of(model):
        number = getattr(head, 'num_classes', None)
        depth = head_name == 'depth_head' or hasattr(head, 'max_depth')
        # an STDCHead tells the borders of classes from the rest
        if depth or isinstance(head, STDCHead) or number in (None, len(classes)):
            continue
        raise UserError(
            f'{head_name} has num_classes={number}, but the data of {name} has {len(classes)} '
            f'classes ({", ".join(classes[:4])}{", ..." if len(classes) > 4 else ""}): set '
            f'num_classes={len(classes)}'
        )


def _check_weights(model: nn.Module) -> None:
    for name, head in heads_of(model):
        number = getattr(head, 'num_classes', None)
        for loss in _losses(head):
            weight = getattr(loss, 'class_weight', None)
            if weight is None or number is None:
                continue
            outputs = getattr(head, 'out_channels', None)
            if hasattr(weight, '__len__') and len(weight) not in (number, outputs):
                raise UserError(
                    f'the loss of {name} has a class_weight of {len(weight)} values for {number} '
                    'classes: give one value a class'
                )


def check_learned_classes(
    checkpoint: Mapping[str, Any], path: str, datasets: Mapping[str, Any]
) -> None:
    """Compare the classes that a checkpoint has learned with those that it is scored on.

    Other names are another wording; the same names in another order are other classes.
    """
    found = dataset_meta_of(checkpoint).get('classes')
    learned = tuple(map(str, found)) if isinstance(found, Sequence) else ()
    for name, dataset in datasets.items():
        if sorted(learned) == sorted(_classes(dataset)):
            _check_names((f"checkpoint '{path}'", learned), (name, _classes(dataset)))


def _check_names(one: tuple[str, tuple[str, ...]], other: tuple[str, tuple[str, ...]]) -> None:
    for number, (a, b) in enumerate(zip(one[1], other[1])):
        if a != b:
            raise UserError(
                f"class {number} is '{a}' in {one[0]}, but '{b}' in {other[0]}: name the same "
                'classes in the same order'
            )


def _losses(head: nn.Module) -> Iterator[nn.Module]:
    for name in ('loss_decode', 'loss_module'):
        loss = getattr(head, name, None)
        if isinstance(loss, nn.ModuleList):
            yield from loss
        elif isinstance(loss, nn.Module):
            yield loss


def _inner(dataset: Any) -> Any:
    while hasattr(dataset, 'dataset'):  # a wrapper, such as RepeatDataset
        dataset = dataset.dataset
    return dataset


def _check_masks_while_loading(dataset: Any, number: int) -> None:
    """Put the checked loader in where a data set of the host has its own."""
    transforms: list = getattr(getattr(_inner(dataset), 'pipeline', None), 'transforms', [])
    for place, transform in enumerate(transforms):
        if type(transform) is MMSegLoadAnnotations:
            transforms[place] = LoadAnnotations(
                num_classes=number,
                reduce_zero_label=transform.reduce_zero_label,
                backend_args=transform.backend_args,
                imdecode_backend=transform.imdecode_backend,
            )
        elif type(transform) is LoadAnnotations and transform.num_classes is None:
            transform.num_classes = number


def _look_at_masks(dataset: Any) -> None:
    """Load some masks with their images: what is wrong in all of them is said at once."""
    inner = _inner(dataset)
    transforms = getattr(getattr(inner, 'pipeline', None), 'transforms', ())
    loaders = [t for t in transforms if isinstance(t, MMSegLoadAnnotations)]
    if not loaders or not hasattr(inner, 'get_data_info'):
        return
    until = time.monotonic() + _SECONDS
    order = np.random.default_rng(0).permutation(len(inner))
    seen: set[int] = set()
    looked = 0
    for index in order.tolist():
        info = inner.get_data_info(index)
        if 'seg_map_path' not in info:
            return
        mask = _load(info, transforms, loaders[0])
        seen |= set(np.unique(mask).tolist())
        looked += 1
        if time.monotonic() > until:
            break
    every = looked == len(inner) or looked >= _ENOUGH
    if every and len(seen - {IGNORE_INDEX}) < 2 and IGNORE_INDEX in seen:
        raise UserError(
            f"masks such as '{info['seg_map_path']}' hold {sorted(seen)} alone, and "
            f"{IGNORE_INDEX} is ignored: there is nothing to learn; 'sacm data folder' makes "
            'classes of masks of 0 and 255'
        )


def _load(info: dict, transforms: Any, loader: MMSegLoadAnnotations) -> np.ndarray:
    """Load the mask of a sample, and the image before it where the pipeline begins with that."""
    results: Any = info
    first = transforms[0]
    if first is not loader:
        results = first(results)
    return loader(results)['gt_seg_map']
