"""What ConvMixer checkpoints become: an image classifier on SA-ConvMixer."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.sa_convmixer import convert_stem

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
# 255 times (0.4914, 0.4822, 0.4465) and (0.2471, 0.2435, 0.2616): ConvMixer's and SA-ConvMixer's
# authors alike train on CIFAR-10 with them
CIFAR10 = dict(mean=[125.307, 122.961, 113.8575], std=[63.0105, 62.0925, 66.708])

STEM = 'backbone.stem.proj.weight'


class Places(NamedTuple):
    """Where a file keeps its parts, as prefixes of tensor names."""

    projection: str
    norm: str
    blocks: tuple[str, ...]
    head: str


def name_table(theirs: Places) -> dict[str, str]:
    """Map every tensor name of our classifier to the one of a ConvMixer.

    Inside a block all ConvMixers agree, as they go back to one.
    """
    modules = {
        'backbone.stem.proj': theirs.projection,
        'backbone.stem.norm': theirs.norm,
        'head.fc': theirs.head,
    }
    for i, block in enumerate(theirs.blocks):
        modules[f'backbone.blocks.{i}.depthwise'] = f'{block}.0.fn.0'
        modules[f'backbone.blocks.{i}.norm1'] = f'{block}.0.fn.2'
        modules[f'backbone.blocks.{i}.pointwise'] = f'{block}.1'
        modules[f'backbone.blocks.{i}.norm2'] = f'{block}.3'
    table: dict[str, str] = {}
    for ours, their in modules.items():
        tensors = ['weight', 'bias']
        if 'norm' in ours:
            tensors += ['running_mean', 'running_var', 'num_batches_tracked']
        table |= {f'{ours}.{tensor}': f'{their}.{tensor}' for tensor in tensors}
    return table


def rename(
    tensors: Mapping[str, Tensor], names: Mapping[str, str], path: Path
) -> dict[str, Tensor]:
    """Take the tensors under the new names, all of them.

    Args:
        tensors: What the file holds.
        names: Each new name with the one in the file.
        path: The file, for errors.

    Raises:
        UserError: A tensor is missing, or some are left.
    """
    missing = [name for name in names.values() if name not in tensors]
    if missing:
        raise UserError(f"'{path}' is no complete ConvMixer: tensor '{missing[0]}' is missing")
    left = sorted(set(tensors) - set(names.values()))
    if left:
        raise UserError(f"'{path}' holds what no ConvMixer has: {', '.join(left)}")
    return {new: tensors[old] for new, old in names.items()}


def load(
    tensors: Mapping[str, Tensor], theirs: Places, path: Path
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn a ConvMixer's tensors, with either stem, into our classifier.

    Raises:
        UserError: A tensor is missing, left or of a shape that does not fit.
    """
    names = name_table(theirs)
    state = rename(tensors, names, path)
    stem = state[STEM]
    patch = _patch_size(stem)
    if not patch:
        raise UserError(
            f"'{path}' is no ConvMixer of colour images: tensor '{names[STEM]}' has shape "
            f'{tuple(stem.shape)}'
        )
    state = convert_stem(state, 'pixel_unshuffle')
    depth = len(theirs.blocks)
    dim, kernel = stem.shape[0], _size(state['backbone.blocks.0.depthwise.weight'], -1)
    classes = _size(state['head.fc.weight'], 0)
    for name, tensor in state.items():
        shape = _shape(name, dim, kernel, patch, classes)
        if tensor.shape != shape:
            raise UserError(
                f"'{path}' is no ConvMixer: tensor '{names[name]}' has shape "
                f'{tuple(tensor.shape)} where {shape} fits'
            )
    if kernel % 2 == 0:
        raise UserError(f"'{path}' has kernels of {kernel}x{kernel}: SA-ConvMixer takes odd ones")
    arch = f'd{dim}-l{depth}-k{kernel}-p{patch}'
    # The activation has no weights. ConvMixer-768/32, known by its patch convolution, is the one
    # that was published with ReLU; timm and mmpretrain build it so, by its name.
    relu = arch == 'd768-l32-k7-p7' and stem.shape[2] == patch
    act_cfg = dict(type='ReLU' if relu else 'GELU')
    backbone = dict(type='sacm_mm.SAConvMixer', arch=arch, act_cfg=act_cfg)
    return model_cfg(backbone, dim, classes, CIFAR10 if classes == 10 else IMAGENET), state


def _patch_size(stem: Tensor) -> int:
    """Return r of a stem (dim, 3, r, r) or (dim, 3 * r * r, 1, 1), 0 when it is neither."""
    if stem.ndim != 4 or not stem.numel():
        return 0
    patch = math.isqrt(stem[0].numel() // 3)
    return patch if stem.shape[1:] in ((3, patch, patch), (3 * patch**2, 1, 1)) else 0


def _size(tensor: Tensor, dim: int) -> int:
    return tensor.shape[dim] if tensor.ndim else 0


def _shape(name: str, dim: int, kernel: int, patch: int, classes: int) -> tuple[int, ...]:
    """Return the shape that a tensor of our classifier has."""
    special = {
        STEM: (dim, 3 * patch**2, 1, 1),
        'head.fc.weight': (classes, dim),
        'head.fc.bias': (classes,),
    }
    if name in special:
        return special[name]
    ends = {
        'depthwise.weight': (dim, 1, kernel, kernel),
        'pointwise.weight': (dim, dim, 1, 1),
        'num_batches_tracked': (),
    }
    return next((shape for end, shape in ends.items() if name.endswith(end)), (dim,))


def model_cfg(
    backbone: Mapping, dim: int, classes: int, statistics: Mapping[str, list[float]]
) -> dict[str, Any]:
    """Return the config of an image classifier on a backbone that ends in ``dim`` channels."""
    return dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', **statistics, to_rgb=True),
        backbone=backbone,
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=classes,
            in_channels=dim,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
    )
