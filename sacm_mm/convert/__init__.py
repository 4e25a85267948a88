"""Published weights to this package's models, one kind of source per file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sacm_mm.convert import conv_mlp, convmixer, keras
from sacm_mm.convert.classifier import STEM
from sacm_mm.core.checkpoints import read_weights
from sacm_mm.core.errors import UserError

__all__ = ['is_published', 'load']

_HDF5 = b'\x89HDF\r\n\x1a\n'
_PYTORCH = (b'PK', b'\x80')  # a zip archive, or the pickle of before PyTorch 1.6
_BLOCK = '.0.fn.0.weight'  # a tensor that every block of a ConvMixer has
_SHOWN = 5  # names of a foreign file's tensors


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read published weights; what they are is found in the file, nothing of it is executed.

    Args:
        path: The authors' Keras .h5 or CIFAR-10 .pt, a ConvMixer of locuslab, timm or mmpretrain,
            or a ConvMLP of SHI-Labs; PyTorch files also as .safetensors.

    Returns:
        The model's config for ``MODELS.build``, its preprocessing included, and the state dict that
        it loads strictly.

    Raises:
        UserError: The file is missing, damaged, of another format or network, or wants to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"'{path}' does not exist or is no file: name a file of weights")
    form = _form(path)
    if not form:
        raise UserError(f"'{path}' is of unknown format: give Keras weights (.h5) or PyTorch's")
    return keras.load(path) if form == 'Keras' else _load_torch(read_weights(path), path)


def is_published(path: str | Path) -> bool:
    """Tell whether a file is of those that ``load`` reads, whole or not; others are left alone."""
    path = Path(path)
    if not path.is_file():
        return False
    form = _form(path)
    if form != 'PyTorch':
        return form == 'Keras'
    try:
        return any(name.endswith(_BLOCK) for name in read_weights(path))
    except UserError:
        return False


def _form(path: Path) -> str:
    """Tell whose weights a file holds, ``'Keras'`` or ``'PyTorch'``; empty for others."""
    with path.open('rb') as file:
        signature = file.read(len(_HDF5))
    if signature == _HDF5:
        return 'Keras'
    is_torch = path.suffix == '.safetensors' or signature.startswith(_PYTORCH)
    return 'PyTorch' if is_torch else ''


def _load_torch(
    tensors: Mapping[str, Tensor], path: Path
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    depth = sum(name.endswith(_BLOCK) for name in tensors)
    if depth and (found := convmixer.load(tensors, depth, path)):
        return found
    if conv_mlp.STEM in tensors:
        return conv_mlp.load(tensors, path)
    if STEM in tensors:
        raise UserError(f"'{path}' is a checkpoint of sacm_mm already: it needs no conversion")
    names = ', '.join(list(tensors)[:_SHOWN])
    raise UserError(
        f"'{path}' is no SA-ConvMixer, ConvMixer or ConvMLP: its tensors are called {names}, ..."
    )
