"""ConvMixer (Trockman and Kolter, "Patches Are All You Need?") by locuslab, timm and mmpretrain.

Its patch convolution and SA-ConvMixer's pixel unshuffle with a 1x1 convolution are the same map, so
that weights go either way without loss.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from sacm_mm.convert import classifier
from sacm_mm.convert.classifier import STEM, Places
from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.sa_convmixer import convert_stem


def _timm(depth: int) -> Places:
    blocks = tuple(f'blocks.{i}' for i in range(depth))
    return Places('stem.0', 'stem.2', blocks, 'head')


def _mmpretrain(depth: int) -> Places:
    blocks = tuple(f'backbone.stages.{i}' for i in range(depth))
    return Places('backbone.stem.0', 'backbone.stem.2', blocks, 'head.fc')


def _sequential(depth: int, first: int = 0) -> Places:
    """Count the modules of a ``nn.Sequential``; ``first`` counts what stands before them.

    Projection, activation, norm, the blocks, pooling, flattening, linear layer.
    """
    blocks = tuple(f'{first + 3 + i}' for i in range(depth))
    return Places(f'{first}', f'{first + 2}', blocks, f'{first + depth + 5}')


NAMINGS: Mapping[str, Callable[[int], Places]] = {
    'locuslab': _sequential,
    'timm': _timm,
    'mmpretrain': _mmpretrain,
}
# the CIFAR-10 network of SA-ConvMixer's authors begins with a pixel unshuffle
_READ: tuple[Callable[[int], Places], ...] = (*NAMINGS.values(), partial(_sequential, first=1))


def load(
    tensors: Mapping[str, Tensor], depth: int, path: Path
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Convert the tensors of a file with ``depth`` blocks; None where their names are not known."""
    for places in (naming(depth) for naming in _READ):
        if f'{places.projection}.weight' in tensors:
            return classifier.load(tensors, places, path)
    return None


def to_convmixer(tensors: Mapping[str, Tensor], naming: str, path: Path) -> dict[str, Tensor]:
    """Turn the weights of our classifier into those of a ConvMixer.

    Args:
        tensors: Weights of an ``ImageClassifier`` on ``SAConvMixer``, with either stem.
        naming: One of ``NAMINGS``.
        path: The file they are from, for errors.

    Raises:
        UserError: They are not such weights, or the naming is unknown.
    """
    if naming not in NAMINGS:
        raise UserError(f"unknown naming '{naming}': choose from {', '.join(NAMINGS)}")
    if STEM not in tensors:
        raise UserError(f"'{path}' is no checkpoint of sacm_mm: tensor '{STEM}' is missing")
    depth = sum(name.endswith('.depthwise.weight') for name in tensors)
    names = classifier.name_table(NAMINGS[naming](depth))
    state = classifier.rename(tensors, {ours: ours for ours in names}, path)
    state = convert_stem(state, 'conv')
    return {names[ours]: tensor for ours, tensor in state.items()}
