"""How time and memory grow with the image, the depth and the width, and how straight that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sacm_mm.benchmark.implementations import Setting, build
from sacm_mm.benchmark.measure import interleave
from sacm_mm.benchmark.memory import call_memory
from sacm_mm.core.machine import stamp
from sacm_mm.models.backbones.sa_convmixer import arch_name, parse_arch

KINDS = {  # what is measured -> implementation and mode
    'forward': ('plain', 'forward'),
    'train': ('plain', 'train'),
    'train, checkpointed': ('checkpointed', 'train'),
}


def sweeps(
    base: Setting, sizes: Sequence[int], depths: Sequence[int], widths: Sequence[int]
) -> dict[str, list[tuple[float, Setting]]]:
    """Vary one setting at a time.

    Args:
        base: What stays.
        sizes: Heights and widths of the image, in pixels.
        depths: Numbers of blocks.
        widths: Channels; time grows with their square, as pointwise convolutions do.

    Returns:
        By what is varied, ``'image'`` (megapixels), ``'depth'`` or ``'width'``: value and setting.
    """
    arch = parse_arch(base.arch)

    def changed(**change: int) -> Setting:
        return replace(base, arch=arch_name({**arch, **change}))

    return {
        'image': [(s * s / 1e6, replace(base, size=s)) for s in sizes],
        'depth': [(d, changed(depth=d)) for d in depths],
        'width': [(w, changed(embed_dims=w)) for w in widths],
    }


def measure_scaling(
    swept: Mapping[str, Sequence[tuple[float, Setting]]], rounds: int
) -> Iterator[dict[str, Any]]:
    """Measure every point of the sweeps; a row for each kind of ``KINDS``.

    All times come first, interleaved; memory is counted in a process of its own.
    """
    points = [
        (sweep, place, kind, replace(setting, mode=mode))
        for sweep, places in swept.items()
        for place, setting in places
        for kind, (_, mode) in KINDS.items()
    ]
    calls = {
        str(number): build(KINDS[kind][0], setting)
        for number, (_, _, kind, setting) in enumerate(points)
    }
    timings = interleave(calls, rounds, points[0][3].device, warmup=1)
    calls.clear()
    memories = call_memory([(KINDS[kind][0], setting) for _, _, kind, setting in points])
    machine = stamp()
    for (sweep, place, kind, setting), timing, memory in zip(points, timings.values(), memories):
        yield {
            'sweep': sweep,
            'place': round(place, 6),
            'kind': kind,
            **asdict(setting),
            'rounds': rounds,
            'median_ms': round(timing.median * 1e3, 3),
            'lower_quartile_ms': round(timing.lower * 1e3, 3),
            'upper_quartile_ms': round(timing.upper * 1e3, 3),
            'ms_per_image': round(timing.median * 1e3 / setting.batch, 3),
            'peak_mib': None if memory is None else round(memory / 2**20, 2),
            **machine,
        }
