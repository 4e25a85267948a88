"""Latency, images a second and memory of several implementations in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sacm_mm.benchmark.apart import measure_apart
from sacm_mm.benchmark.implementations import (
    DTYPES,
    Setting,
    build,
    is_file,
    own_setting,
    what_to_build,
)
from sacm_mm.benchmark.machine import convmixer_flops, convmixer_traffic, peaks
from sacm_mm.benchmark.measure import interleave, peak_memory
from sacm_mm.benchmark.memory import own_memory
from sacm_mm.core.machine import stamp, versions
from sacm_mm.models.backbones.sa_convmixer import parse_arch

PACKAGES = ('timm', 'onnxruntime', 'openvino')  # that may run beside ours
_TRAINING = 3  # a backward pass takes two of its forward passes


def measure(
    names: Sequence[str], setting: Setting, rounds: int, memory: bool = False, apart: bool = False
) -> list[dict[str, Any]]:
    """Measure implementations in turn; a row for each.

    Args:
        names: See ``implementations.build``; the first is what the others are compared with.
            ``NAME@DTYPE`` computes in another precision than the setting's.
        setting: What is measured.
        rounds: Timed calls of each.
        memory: Measure peak memory on a CPU too, see ``own_memory``; on a GPU it always is.
        apart: Time each in processes of its own, see ``measure_apart``.

    Returns:
        Rows with the setting, the figures and the machine.

    Raises:
        UserError: See ``own_setting``.
    """
    own_names, settings = {}, {}
    for name in names:
        own_names[name], settings[name] = own_setting(name, setting)
    built = {name: what_to_build(own_names[name], settings[name]) for name in names}
    calls = {} if apart else {n: build(built[n], settings[n]) for n in names}
    visited = measure_apart(built, settings, rounds) if apart else {}
    timings = (
        {n: v.timing for n, v in visited.items()}
        if apart
        else interleave(calls, rounds, setting.device)
    )
    machine = {**stamp(), **versions(*PACKAGES)}
    sizes = parse_arch(setting.arch)
    training = setting.mode == 'train'
    flops = convmixer_flops(sizes, setting.size) * setting.batch * (_TRAINING if training else 1)
    rows = []
    for name, timing in timings.items():
        own = settings[name]
        number = DTYPES[own.dtype].itemsize
        moved = convmixer_traffic(sizes, setting.size, setting.batch, number, training)
        best = peaks(DTYPES['float32' if own.dtype == 'int8' else own.dtype], setting.device)
        # a file has an architecture of its own
        unknown = is_file(own_names[name]) or own.whole
        counted = dict.fromkeys(('gflops', 'flop_per_byte')) if unknown else {
            'gflops': round(flops / timing.median / 1e9, 2),
            'flop_per_byte': round(flops / moved, 2),
        }  # fmt: skip
        rows.append(
            {
                'implementation': own_names[name],
                **asdict(own),
                'rounds': rounds,
                'median_ms': round(timing.median * 1e3, 3),
                'lower_quartile_ms': round(timing.lower * 1e3, 3),
                'upper_quartile_ms': round(timing.upper * 1e3, 3),
                'least_ms': round(timing.least * 1e3, 3),
                'start_s': visited[name].start_s if apart else None,
                'images_per_s': round(setting.batch / timing.median, 2),
                'speedup': round(timings[names[0]].median / timing.median, 3),
                **counted,
                'peak_mib': _peak_mib(built[name], calls.get(name), own, memory),
                **{key: round(value, 1) for key, value in best.items()},
                **machine,
            }
        )
    return rows


def _peak_mib(
    name: str, call: Callable[[], object] | None, setting: Setting, memory: bool
) -> float | None:
    if setting.device.startswith('cuda') and call is not None:
        found = peak_memory(call, setting.device)
    else:
        found = own_memory(name, setting) if memory else None
    return None if found is None else round(found / 2**20, 1)


def describe(row: dict[str, Any]) -> str:
    """One row for the terminal."""
    memory = '' if row['peak_mib'] is None else f'  {row["peak_mib"]:8.1f} MiB'
    return (
        f'{row["arch"]:14}  {row["implementation"]:12}  {row["mode"]:7}  {row["dtype"]:8}  '
        f'{row["batch"]} of {row["size"]}x{row["size"]}  {row["median_ms"]:9.2f} ms '
        f'({row["lower_quartile_ms"]:.2f} to {row["upper_quartile_ms"]:.2f})  '
        f'{row["images_per_s"]:8.2f} images/s  x{row["speedup"]:.2f}{memory}'
    )
