"""Time several functions side by side, and their memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sacm_mm.core.allocator import release_freed_blocks
from sacm_mm.core.machine import synchronize

_STATUS = Path('/proc/self/status')
_CLEAR_REFS = Path('/proc/self/clear_refs')


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median, the quartiles around it and the least."""

    median: float
    lower: float
    upper: float
    least: float


def interleave(
    functions: Mapping[str, Callable[[], object]], rounds: int, device: str, warmup: int = 2
) -> dict[str, Timing]:
    """Time functions in turn, so that what else happens on the machine meets them all.

    Args:
        functions: What to time, by name.
        rounds: Timed calls of each.
        device: That they compute on.
        warmup: Calls of each before that: compilation, caches.
    """
    for function in functions.values():
        for _ in range(warmup):
            function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            synchronize(device)
            start = time.perf_counter()
            function()
            synchronize(device)
            times[name].append(time.perf_counter() - start)
    return {name: timing_of(values) for name, values in times.items()}


def timing_of(seconds: list[float]) -> Timing:
    """Summarise the seconds of several calls."""
    lower, median, upper = np.quantile(seconds, [0.25, 0.5, 0.75])
    return Timing(float(median), float(lower), float(upper), min(seconds))


def peak_memory(function: Callable[[], object], device: str) -> int | None:
    """Return the bytes that a call needs at its peak, beyond what was in use before it.

    On a GPU these are PyTorch's allocations; on a CPU pages of this process, None where the kernel
    does not let them be counted anew. Memory that the function keeps from call to call counts only
    if this is its first.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        allocated = torch.cuda.memory_allocated(device)
        function()
        return torch.cuda.max_memory_allocated(device) - allocated
    before = resident()
    if before is None:
        return None
    function()
    peak = peak_resident()
    assert peak is not None
    return max(peak - before, 0)


def resident() -> int | None:
    """Return the bytes of this process that are resident, and count their peak from here on.

    None where the kernel does not do that.
    """
    release_freed_blocks()
    try:
        _CLEAR_REFS.write_text('5')  # sets the peak to what is resident now
    except OSError:
        return None
    return _status('VmRSS')


def peak_resident() -> int:
    """Return the most bytes that were resident since ``resident`` was called."""
    return _status('VmHWM')


def _status(field: str) -> int:
    found = re.search(rf'^{field}:\s+(\d+) kB$', _STATUS.read_text(), re.MULTILINE)
    assert found
    return int(found.group(1)) * 1024
