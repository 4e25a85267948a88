"""Choose among equal ways to compute by timing them once, where and at the size that count."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import torch

Choice = TypeVar('Choice')
Result = TypeVar('Result')

_fastest: dict[Hashable, Any] = {}


def run_fastest(
    key: Hashable,
    choices: Sequence[Choice],
    run: Callable[[Choice], Result],
    device: torch.device,
) -> Result:
    """Call ``run`` with the choice that was fastest when ``key`` was first seen.

    The first choice is taken without timing where nothing can be timed (not on a GPU, or while a
    CUDA graph is captured) and with ``torch.use_deterministic_algorithms(True)``, because sums come
    out in another order with another choice.

    Args:
        key: What the times depend on: kernel, shape, dtype.
        choices: The ways; one that does not run is never taken, unless none does.
        run: Computes by a choice, with no effect but its result.
        device: Where the tensors are.
    """
    chosen = _fastest.get((key, device))
    if chosen is None:
        chosen = choices[0]
        if len(choices) > 1 and _may_time(device):
            chosen = min(choices, key=lambda choice: _milliseconds(run, choice))
            _fastest[key, device] = chosen
    return run(chosen)


def _may_time(device: torch.device) -> bool:
    return (
        device.type == 'cuda'
        and not torch.are_deterministic_algorithms_enabled()
        and not torch.cuda.is_current_stream_capturing()
    )


def _milliseconds(run: Callable[[Choice], Any], choice: Choice) -> float:
    from triton.testing import do_bench

    try:
        return do_bench(lambda: run(choice), warmup=5, rep=20, return_mode='median')
    except RuntimeError:  # too many registers or too much shared memory for this device
        return float('inf')
