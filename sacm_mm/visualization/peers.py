"""How fast implementations of one network are beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from sacm_mm.visualization.curves import COLOURS

Row = Mapping[str, Any]


def draw_peers(rows: Sequence[Row]) -> Figure:
    """Draw one panel of bars for each setting: the milliseconds of a call, less is better.

    Exported files, which have no ``arch``, are in the panel of each. What was measured several
    times, as they are beside several, has one bar: the middle median, all of the quartiles.

    Args:
        rows: Rows of the benchmark's CSV for one machine.
    """
    named = [row for row in rows if row['arch']] or rows
    settings = list(dict.fromkeys((row['arch'], _how(row)) for row in named))
    names = list(dict.fromkeys(map(_name, rows)))
    kinds = list(dict.fromkeys(row['implementation'] for row in rows))
    columns = min(3, len(settings))
    lines = -(-len(settings) // columns)
    height = 0.9 + 0.26 * len(names)
    figure = Figure(figsize=(4.2 * columns, 0.5 + height * lines), layout='constrained')
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).flat
    for ax, (arch, how) in zip(panels, settings):
        shown = [row for row in rows if row['arch'] in ('', arch) and _how(row) == how]
        for y, name in enumerate(names):
            same = [row for row in shown if _name(row) == name]
            if not same:
                continue
            ms = median(float(row['median_ms']) for row in same)
            quartiles = [
                [ms - min(float(row['lower_quartile_ms']) for row in same)],
                [max(float(row['upper_quartile_ms']) for row in same) - ms],
            ]
            colour = COLOURS[kinds.index(same[0]['implementation']) % len(COLOURS)]
            ax.barh(y, ms, xerr=quartiles, color=colour, ecolor='0.3', height=0.7)
            text = f'{ms:.0f}' if ms >= 100 else f'{ms:.3g}'
            ax.annotate(text, (ms + quartiles[1][0], y), (3, 0), textcoords='offset points',
                        va='center', fontsize=8)  # fmt: skip
        ax.set_title(f'{arch}, {how}' if arch else how, fontsize=10)
        ax.set_yticks(range(len(names)), names, fontsize=9)
        ax.margins(x=0.18)
        ax.spines[['top', 'right']].set_visible(False)
    figure.axes[0].invert_yaxis()
    for ax in figure.axes[len(settings) :]:
        ax.set_visible(False)
    figure.supxlabel('ms a call: median, quartiles', fontsize=10)
    row = rows[0]
    threads = int(row['threads'])
    figure.suptitle(
        f'{row["gpu"] or row["cpu"]}, {threads} thread{"s" if threads > 1 else ""}', fontsize=11
    )
    return figure


def _how(row: Row) -> str:
    mode = ', training step' if row['mode'] == 'train' else ''
    return f'{row["batch"]} of {row["size"]}x{row["size"]}{mode}'


def _name(row: Row) -> str:
    return f'{row["implementation"]}, {row["dtype"]}'
