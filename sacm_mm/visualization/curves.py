"""Learning curves, as picture and table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_csv
from sacm_mm.core.run_log import SCALARS, Curve

# Okabe and Ito's colours, told apart with any kind of colour vision; black last, as it shouts.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
STYLES = ('-', '--', ':', '-.')  # for more runs than colours
SMOOTH = frozenset({'lr', 'base_lr', 'momentum', 'memory'})  # no noise to average out
LABELS = {
    'lr': 'learning rate',
    'time': 'time per iteration (s)',
    'data_time': 'data time per iteration (s)',
    'memory': 'GPU memory (MB)',
    'grad_norm': 'gradient norm',
}
# How the hosts' metrics that are per cent begin or end.
PERCENT = ('mIoU', 'mAcc', 'aAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall', 'mIoU_per_image')
PERCENT_PREFIXES = ('accuracy/', 'single-label/', 'multi-label/')
_LINE, _FEW_LINES = 0.22, 2  # inches of a line of the legend, and those that there is room for
FEW = 25  # points: up to here each has a marker, and nothing is smoothed


def name_runs(paths: Sequence[Path]) -> list[str]:
    """Name each run by its folder, with as many folders above it as tell the runs apart.

    Raises:
        UserError: A run is given twice.
    """
    folders = []
    for path in paths:
        full = path.resolve()
        folders.append(full.parents[len(SCALARS.parts) - 1] if full.match(str(SCALARS)) else full)
    for path, full in zip(paths, folders):
        if folders.count(full) > 1:
            raise UserError(f"run '{path}' is given twice")
    for depth in range(1, max(len(full.parts) for full in folders) + 1):
        names = ['/'.join(full.parts[-depth:]) for full in folders]
        if len(set(names)) == len(names):
            break
    return names


def choose_keys(
    runs: Mapping[str, Mapping[str, Curve]], wanted: Sequence[str] | None = None
) -> list[str]:
    """Return the keys to show: those wanted, or the loss and every validation figure with a curve.

    A figure that was measured once is a number, not a curve.

    Raises:
        UserError: No run has a wanted key, or runs count the steps of one differently.
    """
    known = {key: curve for curves in runs.values() for key, curve in curves.items()}
    unknown = [key for key in wanted or () if key not in known]
    if unknown:
        raise UserError(f"no run logs '{unknown[0]}': choose from {', '.join(sorted(known))}")
    keys = list(dict.fromkeys(wanted or ()))
    if not keys:
        keys = ['loss'] if 'loss' in known else []
        repeated = {k for c in runs.values() for k, curve in c.items() if len(curve.points) > 1}
        keys += [key for key, curve in known.items() if not curve.training and key in repeated]
        keys = keys or list(known)
    for key in keys:
        units = {curves[key].unit: name for name, curves in runs.items() if key in curves}
        if len(units) > 1:
            counted = ', '.join(f'{name} by {unit}' for unit, name in sorted(units.items()))
            raise UserError(f"runs log '{key}' in different steps ({counted}): plot them apart")
    return keys


def draw_curves(runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str]) -> Figure:
    """Draw one panel a key, the runs over each other.

    Training scalars that are noisy are faint, with their running mean on top.
    """
    columns = min(len(keys), 2)
    rows = -(-len(keys) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(5.2 * columns, 3.1 * rows + 0.5), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    handles = [
        Line2D([], [], **_style(number), linewidth=2, label=name)
        for number, name in enumerate(runs)
    ]
    ends: dict[str, int] = {}
    for curve in (curves[key] for key in keys for curves in runs.values() if key in curves):
        ends[curve.unit] = max(ends.get(curve.unit, 1), *curve.points)
    averaged = False
    for key, axis in zip(keys, axes):
        for number, curves in enumerate(runs.values()):
            if key in curves:
                averaged |= _draw_curve(axis, key, curves[key], _style(number))
        unit = next(curves[key].unit for curves in runs.values() if key in curves)
        axis.set(xlabel=unit, ylabel=_label(key), xlim=(0, 1.03 * ends[unit]))
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.grid(color='0.9')
        axis.set_axisbelow(True)
        axis.spines[['top', 'right']].set_visible(False)
    for axis in axes:  # what is left of the iterator: the last row may have a place to spare
        axis.set_axis_off()
    if averaged:
        handles.append(Line2D([], [], color='0.5', alpha=0.5, linewidth=1, label='as logged'))
    widest = max(map(len, runs)) + 8  # letters of a name, and its sample
    across = max(1, min(len(handles), 55 * columns // widest))
    lines = -(-len(handles) // across)
    figure.set_figheight(figure.get_figheight() + _LINE * max(0, lines - _FEW_LINES))
    figure.legend(
        handles=handles,
        loc='outside lower center',
        ncols=across,
        frameon=False,
    )
    return figure


def _style(number: int) -> dict[str, Any]:
    style = STYLES[number // len(COLOURS) % len(STYLES)]
    return {'color': COLOURS[number % len(COLOURS)], 'linestyle': style}


def _draw_curve(axis: Axes, key: str, curve: Curve, style: dict[str, Any]) -> bool:
    """Draw one curve; tell whether it is averaged."""
    steps, values = list(curve.points), np.array(list(curve.points.values()))
    averaged = curve.training and key not in SMOOTH and len(values) > FEW
    if averaged:
        axis.plot(steps, values, **style, linewidth=1, alpha=0.3)
        values = running_mean(values, max(3, len(values) // 20))
    # A curve with gaps (nan) or one point would show no line.
    marker = 'o' if len(values) <= FEW else None
    axis.plot(steps, values, **style, linewidth=1.8, marker=marker, markersize=4)
    return averaged


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Average over ``width`` points around each one, over fewer at the ends: (N,) -> (N,).

    Values that are not finite do not count, and stay gaps.
    """
    finite = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    centre = np.arange(len(values))
    # As many before as after, or the steep start would look too low; the end counts what there is.
    reach = np.minimum(width // 2, centre)
    low, high = centre - reach, np.minimum(centre + reach + 1, len(values))
    mean = (total[high] - total[low]) / np.maximum(count[high] - count[low], 1)
    return np.where(finite, mean, np.nan)


def _label(key: str) -> str:
    if key.endswith(PERCENT) or key.startswith(PERCENT_PREFIXES):
        return f'{key} (%)'
    return LABELS.get(key, key)


def save_table(runs: Mapping[str, Mapping[str, Curve]], keys: Sequence[str], path: Path) -> None:
    """Write a CSV of run, step, key, value in long format."""
    rows = [
        {'run': name, 'step': step, 'key': key, 'value': value}
        for name, curves in runs.items()
        for key in keys
        if key in curves
        for step, value in curves[key].points.items()
    ]
    write_csv(rows, path)
