"""Fast inference inside PyTorch."""

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

from sacm_mm.deploy.folding import StridedStem, fold
from sacm_mm.deploy.fusing import FusedBackbone, fusible
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer
from sacm_mm.ops.mixer_gpu import fused_available

_ROUNDS = 5  # of timing two ways, after one to warm up


def optimize(
    model: nn.Module, example: Tensor, dtype: torch.dtype = torch.float32
) -> Callable[[Tensor], Any]:
    """Make a function that computes ``model(x)`` as fast as this machine can, to rounding.

    Norms are folded; on a CPU a SA-ConvMixer runs as two passes a block (``FusedBackbone``) where
    that is faster, else with the faster of two stems; on a GPU its blocks keep the norms, which the
    fused kernels apply; the rest is frozen and compiled. Where there
    is no compiler it runs uncompiled. Each further size of ``x`` is compiled when it is first seen;
    a host's model is called in its mode ``'tensor'``.

    Args:
        model: A model of the hosts, a backbone, or any module; it is not changed.
        example: An input of the size and on the device that count.
        dtype: ``torch.bfloat16`` computes in that; inputs and outputs stay float32.
    """
    folded = fold(model, blocks=not fused_available(example.device))
    fast = _restructured(folded.to(example.device, dtype), example.to(dtype))

    def plain(x: Tensor) -> Any:
        out = fast(x.to(dtype))
        return pytree.tree_map_only(Tensor, lambda y: y.to(x.dtype), out)

    run = torch.compile(plain, dynamic=False)
    # a fused backbone alone leaves nothing to compile
    chosen = run if not isinstance(fast, FusedBackbone) and _works(run, example) else plain

    def optimized(x: Tensor) -> Any:
        with _frozen():
            return chosen(x)

    return optimized


@contextmanager
def _frozen() -> Iterator[None]:
    """Let what is compiled here freeze its weights.

    It needs the global setting, because the trace reads that; as an option of ``torch.compile`` it
    does nothing. And it needs gradients off.
    """
    with torch.no_grad(), inductor.patch(freezing=True):
        yield


def _works(run: Callable[[Tensor], Any], example: Tensor) -> bool:
    """Try it on ``example``; a missing compiler or Triton shows as errors of many kinds."""
    try:
        with _frozen():
            run(example)
    except Exception:
        return False
    return True


def _restructured(model: nn.Module, example: Tensor) -> nn.Module:
    """Replace each SA-ConvMixer of a folded model by what is faster for images like ``example``."""
    for name, module in list(model.named_modules()):
        if isinstance(module, SAConvMixer) and example.shape[1] == module.stem.in_channels:
            faster = _fastest(module, example)
            if not name:
                return faster
            model.set_submodule(name, faster)
    return model


def _fastest(backbone: Any, x: Tensor) -> nn.Module:
    if fusible(backbone, x):
        fused = FusedBackbone(backbone)
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
            _synchronize(x.device)
            start = time.perf_counter()
            module(x)
            _synchronize(x.device)
            times.append(time.perf_counter() - start)
    return median(times[1:])


def _synchronize(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
