"""How near networks come to what a machine can do: the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from sacm_mm.visualization.curves import COLOURS

Row = Mapping[str, Any]
_MARKERS = 'os^DvPX*'


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
            marker=_MARKERS[number % len(_MARKERS)],
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
