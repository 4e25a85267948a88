"""ConvMLP of SHI-Labs, whose names the backbone keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sacm_mm.convert.classifier import IMAGENET, model_cfg
from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.conv_mlp import ARCHS, ConvMLP, classifier_state

STEM = 'tokenizer.block.0.weight'


def load(tensors: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Turn a published ConvMLP into an image classifier on our backbone.

    Raises:
        UserError: A tensor is missing, left or of a shape that does not fit.
    """
    shapes = {arch: _shapes(arch, tensors) for arch in ARCHS}
    arch = next((arch for arch in ARCHS if len(shapes[arch]) == len(tensors)), None)
    if arch is None:
        counts = ', '.join(f'{arch} has {len(shapes[arch])}' for arch in ARCHS)
        raise UserError(
            f"'{path}' is no published ConvMLP: it has {len(tensors)} tensors where {counts}"
        )
    for name, shape in shapes[arch].items():
        if name not in tensors:
            raise UserError(f"'{path}' is no complete ConvMLP: tensor '{name}' is missing")
        if tensors[name].shape != shape:
            raise UserError(
                f"'{path}' is no ConvMLP-{arch.upper()}: tensor '{name}' has shape "
                f'{tuple(tensors[name].shape)} where {tuple(shape)} fits'
            )
    classes, dim = shapes[arch]['head.weight']
    cfg = model_cfg(dict(type='sacm_mm.ConvMLP', arch=arch), dim, classes, IMAGENET)
    return cfg, classifier_state(tensors)


def _shapes(arch: str, tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Return the shapes of a published file with as many classes as this one."""
    with torch.device('meta'):
        shapes = {name: tensor.shape for name, tensor in ConvMLP(arch).state_dict().items()}
    head = tensors.get('head.bias')
    classes = head.numel() if head is not None else 0
    return shapes | {
        'head.weight': torch.Size((classes, ARCHS[arch]['dims'][-1])),
        'head.bias': torch.Size((classes,)),
    }
