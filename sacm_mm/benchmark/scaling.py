"""How time and memory grow with the image, the depth and the width, and how straight that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
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


@dataclass(frozen=True)
class Sweep:
    """One thing that grows while the rest stays.

    Attributes:
        name: ``'image'``, ``'depth'`` or ``'width'``.
        label: Of the axis, with its unit.
        points: Place on the axis and setting of each point.
        time_power: Power of the place with which time has to grow; memory grows with the place.
    """

    name: str
    label: str
    points: Sequence[tuple[float, Setting]]
    time_power: int = 1


def sweeps(
    base: Setting, sizes: Sequence[int], depths: Sequence[int], widths: Sequence[int]
) -> list[Sweep]:
    """Vary one setting at a time.

    Args:
        base: What stays.
        sizes: Heights and widths of the image, in pixels.
        depths: Numbers of blocks.
        widths: Channels; time grows with their square, as pointwise convolutions do.
    """
    arch = parse_arch(base.arch)

    def changed(**change: int) -> Setting:
        return replace(base, arch=arch_name({**arch, **change}))

    return [
        Sweep(
            'image', 'image area (Mpixel)', [(s * s / 1e6, replace(base, size=s)) for s in sizes]
        ),
        Sweep('depth', 'depth (blocks)', [(d, changed(depth=d)) for d in depths]),
        Sweep('width', 'width (channels)', [(w, changed(embed_dims=w)) for w in widths], 2),
    ]


def measure_scaling(swept: Sequence[Sweep], rounds: int) -> Iterator[dict[str, Any]]:
    """Measure every point of the sweeps; a row for each kind of ``KINDS``.

    All times come first, interleaved; memory is counted in a process of its own.
    """
    points = [
        (sweep, place, kind, replace(setting, mode=mode))
        for sweep in swept
        for place, setting in sweep.points
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
            'sweep': sweep.name,
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
