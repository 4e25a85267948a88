"""Time and memory against image area, depth and width, each with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sacm_mm.visualization.curves import COLOURS

_MARKERS = 'os^DvPX*'
_AXES = {  # sweep -> label of the places, power of them with which time grows
    'image': ('image area (Mpixel)', 1),
    'depth': ('depth (blocks)', 1),
    'width': ('width (channels)', 2),
}
_MEASURES = {  # column -> label
    'ms_per_image': 'time per image (ms)',
    'peak_mib': 'peak memory of a call (MiB)',
}


def draw_scaling(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw time and memory against image area, depth and width, each with its line and R^2.

    Args:
        rows: Rows of ``measure_scaling``, or of the CSV that holds them.
    """
    kinds = list(dict.fromkeys(row['kind'] for row in rows))
    figure = Figure(figsize=(13, 7.6), layout='constrained')
    axes = figure.subplots(2, 3)
    for line, (column, label) in zip(axes, _MEASURES.items()):
        for ax, (sweep, (place, power)) in zip(line, _AXES.items()):
            chosen = [
                row for row in rows if row['sweep'] == sweep and row[column] not in (None, '')
            ]
            _draw_lines(ax, chosen, kinds, column, power if column == 'ms_per_image' else 1)
            squared = column == 'ms_per_image' and power == 2
            ax.set_xlabel(f'{place}, squared scale' if squared else place)
            ax.set_ylabel(label)
    of = {row['sweep']: row['arch' if row['sweep'] == 'image' else 'size'] for row in rows}
    row = rows[0]
    figure.suptitle(
        f'SA-ConvMixer {of.get("image", "")}, {of.get("depth", "")} px where these stay, '
        f'batch {row["batch"]}, {row["dtype"]}; {row["gpu"] or row["cpu"]}, '
        f'{row["threads"]} threads',
        fontsize=11,
    )
    return figure


def _draw_lines(
    ax: Axes, rows: Sequence[Mapping[str, Any]], kinds: Sequence[str], column: str, power: int
) -> None:
    for kind, colour, marker in zip(kinds, COLOURS, _MARKERS):
        points = sorted((float(r['place']), float(r[column])) for r in rows if r['kind'] == kind)
        if not points:
            continue
        x, y = np.array(points).T
        slope, intercept, straight = fit_line(x**power, y)
        ends = np.array([0, (x**power).max()])
        ax.plot(ends, slope * ends + intercept, color=colour, linewidth=1)
        ax.plot(
            x**power,
            y,
            marker,
            color=colour,
            markersize=5,
            # a constant has no spread for a line to explain
            label=f'{kind}: constant'
            if np.ptp(y) < 0.1 * y.mean()
            else f'{kind}: $R^2$ {straight:.4f}',
        )
        if power != 1:
            ticks = [x[-1]]
            for place in x[-2::-1]:  # labels of small places would cover each other
                if ticks[-1] ** power - place**power > 0.07 * x[-1] ** power:
                    ticks.append(place)
            ax.set_xticks(np.power(ticks, power), [f'{place:g}' for place in ticks])
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc='upper left')


def fit_line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Fit ``slope * x + intercept`` by least squares; return both and R^2."""
    slope, intercept = np.polyfit(x, y, 1)
    rest = np.asarray(y) - (slope * np.asarray(x) + intercept)
    spread = np.var(y)
    return float(slope), float(intercept), float(1 - np.var(rest) / spread) if spread else 1.0
