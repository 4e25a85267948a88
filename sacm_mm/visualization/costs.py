"""Pictures of what networks cost: lines of growth, and the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from sacm_mm.benchmark.scaling import fit_line
from sacm_mm.visualization.curves import COLOURS

Row = Mapping[str, Any]
MARKERS = 'os^DvPX*'
_AXES = {  # sweep -> label of the places, power of them with which time grows
    'image': ('image area (Mpixel)', 1),
    'depth': ('depth (blocks)', 1),
    'width': ('width (channels)', 2),
}
_MEASURES = {  # column -> label
    'ms_per_image': 'time per image (ms)',
    'peak_mib': 'peak memory of a call (MiB)',
}


def draw_scaling(rows: Sequence[Row]) -> Figure:
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
    fixed = {
        (row['sweep'], row['arch'] if row['sweep'] == 'image' else row['size']) for row in rows
    }
    of = dict(fixed)
    row = rows[0]
    figure.suptitle(
        f'SA-ConvMixer {of.get("image", "")}, {of.get("depth", "")} px where these stay, '
        f'batch {row["batch"]}, {row["dtype"]}; {row["gpu"] or row["cpu"]}, '
        f'{row["threads"]} threads',
        fontsize=11,
    )
    return figure


def _draw_lines(
    ax: Axes, rows: Sequence[Row], kinds: Sequence[str], column: str, power: int
) -> None:
    for kind, colour, marker in zip(kinds, COLOURS, MARKERS):
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


def draw_roofline(rows: Sequence[Row]) -> Figure:
    """Draw GFLOP/s reached against FLOPs a byte, under what the machine reaches at best.

    Args:
        rows: Rows of the benchmark's CSV for one machine; exported files have no FLOPs and are
            left out.
    """
    rows = [row for row in rows if row['flop_per_byte'] not in (None, '')]
    bandwidth = max(float(row['copy_gb_per_s']) for row in rows)
    peaks = {
        dtype: max(float(row['gemm_gflops']) for row in rows if row['dtype'] == dtype)
        for dtype in dict.fromkeys(row['dtype'] for row in rows)
    }
    x = [float(row['flop_per_byte']) for row in rows]
    left, right = min(1.0, min(x) / 2), max(x) * 4
    figure = Figure(figsize=(10.5, 6.2), layout='constrained')
    ax = figure.subplots()
    for (dtype, peak), style in zip(peaks.items(), ('-', '--', ':')):
        ridge = peak / bandwidth
        ax.plot(
            [left, ridge, right],
            [left * bandwidth, peak, peak],
            style,
            color='black',
            label=f'limit, {dtype}: {peak:.0f} GFLOP/s, {bandwidth:.0f} GB/s',
        )
    names = list(dict.fromkeys(row['implementation'] for row in rows))
    series = list(dict.fromkeys(map(_series, rows)))
    for number, key in enumerate(series):
        points = [row for row in rows if _series(row) == key]
        peak = peaks[points[0]['dtype']]
        best = max(float(row['gflops']) for row in points)
        ax.plot(
            [float(row['flop_per_byte']) for row in points],
            [float(row['gflops']) for row in points],
            linestyle='',
            marker=MARKERS[number % len(MARKERS)],
            markersize=8,
            color=COLOURS[names.index(points[0]['implementation']) % len(COLOURS)],
            markerfacecolor='none' if points[0]['dtype'] != 'float32' else None,
            label=f'{key}: {best:.0f} GFLOP/s, {100 * best / peak:.0f} % of the peak',
        )
    ax.set_xscale('log')
    ax.set_yscale('log')
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FormatStrFormatter('%g'))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlim(left, right)
    ax.set_ylim(bottom=min(min(float(row['gflops']) for row in rows) / 3, left * bandwidth))
    ax.set_xlabel('arithmetic intensity (FLOP per byte that has to be moved)')
    ax.set_ylabel('speed (GFLOP/s)')
    ax.grid(which='both', alpha=0.2)
    ax.legend(fontsize=8, loc='center left', bbox_to_anchor=(1.0, 0.5))
    row = rows[0]
    archs = ', '.join(dict.fromkeys(row['arch'] for row in rows))
    ax.set_title(f'{archs}; {row["gpu"] or row["cpu"]}, {row["threads"]} threads', fontsize=11)
    return figure


def _series(row: Row) -> str:
    return f'{row["implementation"]}, {row["mode"]}, {row["dtype"]}'
