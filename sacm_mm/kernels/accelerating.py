"""Put kernels into a model: ``accelerate``."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch
import torch._inductor.config as inductor
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sacm_mm.core.machine import synchronize
from sacm_mm.kernels.blocks import is_fast, with_kernels
from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.inference import FusedBackbone, FusedPointwise, fuses
from sacm_mm.kernels.folding import StridedStem, fold, known_backbones
from sacm_mm.kernels.recognition import is_exactly, is_pointwise
from sacm_mm.models.heads.pixel_shuffle_depth_head import PixelShuffleDepthHead
from sacm_mm.models.heads.pixel_shuffle_head import PixelShuffleHead

_ROUNDS = 5  # of timing two ways, after one to warm up


def accelerate(
    model: nn.Module,
    example: Tensor | None = None,
    *,
    training: bool = False,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Make a model as fast as this machine can, with the same results to rounding.

    For training on a CPU, blocks and stems of ``SAConvMixer`` are replaced in ``model`` itself by
    ones that compute by kernels; parameters, their names and the state dict stay what they are, so
    that checkpoints load and save as before. Move the model to its device first.

    For inference the result is a copy, which cannot be trained. Norms are folded, and on a CPU a
    ``SAConvMixer`` runs as two passes a block. Without ``example`` the copy is a model like
    ``model``, for images of any size. With one, what is faster for such images is found by timing,
    and the rest of the network is compiled where there is a compiler; each further size is compiled
    when it is first seen, and a host's model is called in its mode ``'tensor'``.

    Kernels are compiled when first needed, which takes seconds, and kept in
    ``$XDG_CACHE_HOME/sacm_mm``. What they do not know exactly (another activation or norm, a
    subclass, a hook) runs as it did; without a C++ compiler all of it does.

    Args:
        model: A model of the hosts, a backbone, or any module that holds some.
        example: An input of the size and on the device that count, for inference.
        training: Prepare for training, in place.
        dtype: For inference, ``torch.bfloat16`` computes in that: without ``example`` the
            backbones, else the whole network. Inputs and outputs stay float32.

    Returns:
        What to use in place of ``model``; for training that is ``model``, unless it is a block.

    Raises:
        ValueError: ``example`` or ``dtype`` are given for training.
    """
    if training:
        if example is not None or dtype != torch.float32:
            raise ValueError('example and dtype are for inference: leave them out for training')
        return _replaced(model)
    device = _device(model) if example is None else example.device
    # whoever has a model of the hosts may ask it for its maps
    folded = fold(model, into_heads=example is not None).to(device)
    if example is None:
        return _with_fused_parts(folded, dtype)
    return _Compiled(_restructured(folded.to(dtype), example.to(dtype)), example, dtype)


def fast_parts(model: nn.Module) -> list[str]:
    """Name the modules that ``accelerate`` put into a model, but for folded ones."""
    return [
        name
        for name, module in model.named_modules()
        if is_fast(module) or isinstance(module, FusedBackbone)
    ]


def why_no_kernels(model: nn.Module, purpose: str) -> str:
    """Say what this machine lacks for a model to run by kernels; empty if it is not the machine.

    Args:
        model: A model.
        purpose: See ``native.available``.
    """
    return native.why_not(purpose) if known_backbones(model) else ''


def _replaced(model: nn.Module) -> nn.Module:
    device = _device(model)
    for name, module in list(model.named_modules()):
        fast = with_kernels(module, device)
        if fast is not None:
            model = _put(model, name, fast)
    return model


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device('cpu'))


def _put(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    if not name:
        return module
    model.set_submodule(name, module)
    return model


class _Compiled(nn.Module):
    """A network in one precision, compiled where that is possible, from float32 to float32."""

    def __init__(self, network: nn.Module, example: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network

        def plain(x: Tensor) -> Any:
            out = network(x.to(dtype))
            return pytree.tree_map_only(Tensor, lambda y: y.to(x.dtype), out)

        run = torch.compile(plain, dynamic=False)
        # a fused backbone alone leaves nothing to compile
        compiled = not isinstance(network, FusedBackbone) and _works(run, example)
        self._run = run if compiled else plain
        self.eval()

    def forward(self, x: Tensor) -> Any:
        """Compute what the network does."""
        with _frozen():
            return self._run(x)


@contextmanager
def _frozen() -> Iterator[None]:
    """Let what is compiled here freeze its weights.

    It needs the global setting, because the trace reads that; as an option of ``torch.compile`` it
    does nothing. And it needs gradients off.
    """
    with torch.no_grad(), inductor.patch(freezing=True):
        yield


def _works(run: Callable[[Tensor], Any], example: Tensor) -> bool:
    """Try it on ``example``; a missing compiler shows as errors of many kinds."""
    try:
        with _frozen():
            run(example)
    except Exception:
        return False
    return True


def _with_fused_parts(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    fused = False
    for name, backbone in known_backbones(model).items():
        if fuses(backbone, dtype):
            model = _put(model, name, FusedBackbone(backbone, dtype))
            fused = True
    heads: Any = model.modules() if fused else ()
    for head in heads:  # their maps are channels-last now, as rows of a matrix
        known = is_exactly(head, PixelShuffleHead, PixelShuffleDepthHead)
        if known and is_pointwise(head.conv_seg):
            head.conv_seg = FusedPointwise(head.conv_seg, torch.float32)
    return model


def _restructured(model: nn.Module, example: Tensor) -> nn.Module:
    """Replace each SA-ConvMixer of a folded model by what is faster for images like ``example``."""
    for name, backbone in known_backbones(model).items():
        if example.shape[1] == backbone.in_channels:
            model = _put(model, name, _fastest(backbone, example))
    return model


def _fastest(backbone: Any, x: Tensor) -> nn.Module:
    if fuses(backbone, x.dtype):
        fused = FusedBackbone(backbone, x.dtype)
        if _seconds(fused, x) < _seconds(backbone, x):
            return fused
    if backbone.stem.embed == 'pixel_unshuffle':
        strided = StridedStem(copy.deepcopy(backbone.stem))
        if _seconds(strided, x) < _seconds(backbone.stem, x):
            backbone.stem = strided
    return backbone


def _seconds(module: nn.Module, x: Tensor) -> float:
    times = []
    with torch.no_grad():
        for _ in range(_ROUNDS + 1):
            synchronize(x.device)
            start = time.perf_counter()
            module(x)
            synchronize(x.device)
            times.append(time.perf_counter() - start)
    return median(times[1:])
