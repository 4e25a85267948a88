"""Fast inference inside PyTorch."""

import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sacm_mm.deploy.folding import StridedStem, fold
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer

_ROUNDS = 7  # of timing two stems, after one to warm up


def optimize(
    model: nn.Module, example: Tensor, dtype: torch.dtype = torch.float32
) -> Callable[[Tensor], Any]:
    """Make a function that computes ``model(x)`` as fast as this machine can, to rounding.

    Norms are folded, the stem becomes one strided convolution where that is faster, and the result
    is frozen and compiled. Where there is no compiler it runs uncompiled. Each further size of
    ``x`` is compiled when it is first seen; a host's model is called in its mode ``'tensor'``.

    Args:
        model: A model of the hosts, a backbone, or any module; it is not changed.
        example: An input of the size and on the device that count.
        dtype: ``torch.bfloat16`` computes in that; inputs and outputs stay float32.
    """
    fast = fold(model).to(example.device, dtype)
    for backbone in (m for m in fast.modules() if isinstance(m, SAConvMixer)):
        _choose_stem(backbone, example.to(dtype))

    def plain(x: Tensor) -> Any:
        out = fast(x.to(dtype))
        return pytree.tree_map_only(Tensor, lambda y: y.to(x.dtype), out)

    run = torch.compile(plain, dynamic=False, options={'freezing': True})
    chosen = run if _works(run, example) else plain

    def optimized(x: Tensor) -> Any:
        with torch.no_grad():  # freezing needs it at every compilation
            return chosen(x)

    return optimized


def _works(run: Callable[[Tensor], Any], example: Tensor) -> bool:
    """Try it on ``example``; a missing compiler or Triton shows as errors of many kinds."""
    try:
        with torch.no_grad():
            run(example)
    except Exception:
        return False
    return True


def _choose_stem(backbone: Any, x: Tensor) -> None:
    """Keep the faster of the two stems for inputs like ``x``."""
    if x.shape[1] != backbone.stem.in_channels or backbone.stem.embed == 'conv':
        return
    strided = StridedStem(copy.deepcopy(backbone.stem))
    if _seconds(strided, x) < _seconds(backbone.stem, x):
        backbone.stem = strided


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
