"""Latency, images a second and memory of several implementations in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sacm_mm.benchmark.implementations import DTYPES, Setting, build, is_file
from sacm_mm.benchmark.machine import convmixer_flops, convmixer_traffic, peaks
from sacm_mm.benchmark.measure import interleave, peak_memory
from sacm_mm.benchmark.memory import own_memory
from sacm_mm.models.backbones.sa_convmixer import parse_arch
from sacm_mm.provenance import stamp, versions

PACKAGES = ('timm', 'onnxruntime', 'openvino')  # that may run beside ours
_TRAINING = 3  # a backward pass takes two of its forward passes


def measure(
    names: Sequence[str], setting: Setting, rounds: int, memory: bool = False
) -> list[dict[str, Any]]:
    """Measure implementations interleaved; a row for each.

    Args:
        names: See ``implementations.build``; the first is what the others are compared with.
        setting: What is measured.
        rounds: Timed calls of each.
        memory: Measure peak memory on a CPU too, see ``own_memory``; on a GPU it always is.

    Returns:
        Rows with the setting, the figures and the machine.

    Raises:
        UserError: An implementation is unknown or not for this setting.
    """
    calls = {name: build(name, setting) for name in names}
    timings = interleave(calls, rounds)
    best = peaks(DTYPES[setting.dtype], setting.device)
    machine = {key: round(value, 1) for key, value in best.items()}
    machine |= {**stamp(), **versions(*PACKAGES)}
    sizes = parse_arch(setting.arch)
    training = setting.mode == 'train'
    flops = convmixer_flops(sizes, setting.size) * setting.batch * (_TRAINING if training else 1)
    number = DTYPES[setting.dtype].itemsize
    moved = convmixer_traffic(sizes, setting.size, setting.batch, number, training)
    rows = []
    for name, timing in timings.items():
        # a file has an architecture of its own
        counted = dict.fromkeys(('gflops', 'flop_per_byte')) if is_file(name) else {
            'gflops': round(flops / timing.median / 1e9, 2),
            'flop_per_byte': round(flops / moved, 2),
        }  # fmt: skip
        rows.append(
            {
                'implementation': name,
                **asdict(setting),
                'rounds': rounds,
                'median_ms': round(timing.median * 1e3, 3),
                'lower_quartile_ms': round(timing.lower * 1e3, 3),
                'upper_quartile_ms': round(timing.upper * 1e3, 3),
                'least_ms': round(timing.least * 1e3, 3),
                'images_per_s': round(setting.batch / timing.median, 2),
                'speedup': round(timings[names[0]].median / timing.median, 3),
                **counted,
                'peak_mib': _peak_mib(name, calls[name], setting, memory),
                **machine,
            }
        )
    return rows


def _peak_mib(
    name: str, call: Callable[[], object], setting: Setting, memory: bool
) -> float | None:
    if setting.device.startswith('cuda'):
        found = peak_memory(call, setting.device)
    else:
        found = own_memory(name, setting) if memory else None
    return None if found is None else round(found / 2**20, 1)


def describe(row: dict[str, Any]) -> str:
    """One row for the terminal."""
    memory = '' if row['peak_mib'] is None else f'  {row["peak_mib"]:8.1f} MiB'
    return (
        f'{row["implementation"]:12}  {row["mode"]:7}  {row["dtype"]:8}  '
        f'{row["batch"]}x3x{row["size"]}x{row["size"]}  {row["median_ms"]:9.2f} ms '
        f'({row["lower_quartile_ms"]:.2f} to {row["upper_quartile_ms"]:.2f})  '
        f'{row["images_per_s"]:8.2f} images/s  x{row["speedup"]:.2f}{memory}'
    )
