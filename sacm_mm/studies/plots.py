"""The pictures of a report. The same results give the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from sacm_mm.core.files import save_figure
from sacm_mm.core.run_log import Curve
from sacm_mm.studies.pareto import pareto_front
from sacm_mm.studies.results import NetworkResult, StudyResults
from sacm_mm.visualization.curves import COLOURS, draw_curves

_OURS, _OTHERS, _FRONT = COLOURS[1], COLOURS[0], '0.6'
_ALIKE = 1.1  # costs that differ by less are no trade: timings do from run to run
_WIDTH = 5.4  # inches: text stays readable on a phone
_DPI = 150
COSTS = {
    'parameters': ('parameters (millions)', 1e6),
    'macs': ('multiplications (GMACs)', 1e9),
    'latency_ms': ('latency of one image (ms)', 1.0),
}


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes:
        name: Its file.
        caption: What it shows.
        heading: What it stands under; the plots of costs share one.
        wide: It scrolls rather than shrinks on a phone.
    """

    name: str
    caption: str
    heading: str = ''
    wide: bool = False


def draw_plots(results: StudyResults, out: Path) -> list[Picture]:
    """Draw what the results allow, and return the pictures."""
    pictures = []
    for cost, (label, _) in COSTS.items():
        path = out / f'pareto_{cost}.webp'
        known = [network.costs[cost] for network in results.networks if cost in network.costs]
        path.unlink(missing_ok=True)  # more runs may have ended a trade
        if known and max(known) > _ALIKE * min(known):
            save_figure(draw_pareto(results, cost), path, _DPI)
            what = label.partition(' (')[0]
            pictures.append(Picture(path.name, f'{results.study["metric_name"]} and {what}'))
    curves = mean_curves(results, ['loss'])
    if curves:
        save_figure(draw_curves(curves, ['loss']), out / 'curves.webp', _DPI)
        caption = 'training loss, summed over the heads of a network, mean over the seeds'
        pictures.append(Picture('curves.webp', caption, 'Training'))
    if any(run.class_iou for run in results.runs):
        save_figure(draw_classes(results), out / 'classes.webp', _DPI)
        caption = 'IoU of each class, mean over the seeds'
        pictures.append(Picture('classes.webp', caption, 'Classes'))
    return pictures


def is_ours(network: NetworkResult) -> bool:
    """Whether a network is the one that the others are compared with."""
    return network.backbone.startswith(('sa-convmixer', 'sacm_mm.SAConvMixer'))


def draw_pareto(results: StudyResults, cost: str) -> Figure:
    """Draw the figure over a cost, with the Pareto front."""
    study, (label, scale) = results.study, COSTS[cost]
    networks = [network for network in results.networks if cost in network.costs]
    points = [(network.costs[cost] / scale, network.mean) for network in networks]
    figure = Figure((_WIDTH, 4.2), layout='constrained')
    axis = figure.subplots()
    best = [points[i] for i in pareto_front(points, study['higher_is_better'])]
    axis.step(*zip(*best), where='post', color=_FRONT, linewidth=1.5, zorder=1)
    for network, (x, y) in zip(networks, points):
        colour, marker = (_OURS, 'D') if is_ours(network) else (_OTHERS, 'o')
        # ours is larger and behind: where two coincide both are seen
        size, order = (9, 2) if is_ours(network) else (6, 3)
        axis.errorbar(
            x, y, yerr=network.spread, color=colour, marker=marker, markersize=size, capsize=3,
            zorder=order,
        )  # fmt: skip
    if max(x for x, _ in points) > 8 * min(x for x, _ in points):
        axis.set_xscale('log')
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter('{x:g}')
        axis.xaxis.set_minor_locator(NullLocator())
    unit = f' ({study["unit"]})' if study['unit'] else ''
    way = '' if study['higher_is_better'] else ', lower is better'
    axis.set(xlabel=label, ylabel=f'{study["metric_name"]}{unit}{way}')
    axis.margins(0.2, 0.12)
    axis.grid(color='0.92')
    axis.set_axisbelow(True)
    axis.spines[['top', 'right']].set_visible(False)
    handles = [axis.plot([], [], color=_FRONT, label='best trade')[0]]
    if not all(map(is_ours, networks)):
        handles[:0] = [
            axis.plot([], [], color=_OURS, marker='D', linestyle='', label='SA-ConvMixer')[0],
            axis.plot([], [], color=_OTHERS, marker='o', linestyle='', label='others')[0],
        ]
    figure.legend(handles=handles, loc='outside lower center', ncols=3, frameon=False, fontsize=9)
    _label_points(figure, axis, [network.label for network in networks], points, best)
    return figure


def _label_points(
    figure: Figure,
    axis: Axes,
    labels: Sequence[str],
    points: Sequence[tuple[float, float]],
    line: Sequence[tuple[float, float]],
) -> None:
    """Write each label at the place around its point where it covers least."""
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine('none')  # what comes now does not move what is there
    renderer = canvas.get_renderer()
    inside = axis.get_window_extent(renderer)
    reach = 5 * figure.dpi / 72  # of a marker
    spots = axis.transData.transform(points)
    taken = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in spots]
    corners = axis.transData.transform(line)
    for (x0, y0), (x1, y1) in pairwise(corners):  # across, then up or down
        taken.append(Bbox.from_extents(x0, y0 - 1, x1, y0 + 1))
        taken.append(Bbox.from_extents(x1 - 1, min(y0, y1), x1 + 1, max(y0, y1)))
    places = [
        (far, dx * far, dy * far, ha, va)
        for far in (1.0, 1.8, 2.8)
        for dx, dy, ha, va in (
            (8, 0, 'left', 'center'),
            (-8, 0, 'right', 'center'),
            (0, 8, 'center', 'bottom'),
            (0, -8, 'center', 'top'),
            (6, 6, 'left', 'bottom'),
            (-6, 6, 'right', 'bottom'),
            (6, -6, 'left', 'top'),
            (-6, -6, 'right', 'top'),
        )
    ]
    for i in sorted(range(len(labels)), key=lambda i: -spots[i][1]):
        best = None
        for number, (far, dx, dy, ha, va) in enumerate(places):
            text = axis.annotate(
                labels[i], points[i], (dx, dy), textcoords='offset points', ha=ha, va=va, fontsize=9
            )
            box = text.get_window_extent(renderer)
            covered = sum(_overlap(box, other) for other in taken)
            outside = box.width * box.height - _overlap(box, inside)
            # a label far from its point is read as another's: rather let it cross the line
            cost = covered + 4 * outside + 60 * (far - 1) + number * 1e-3
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, text, box)
            else:
                text.remove()
        assert best
        taken.append(best[2])


def _overlap(a: Bbox, b: Bbox) -> float:
    common = Bbox.intersection(a, b)
    return 0.0 if common is None else common.width * common.height


def mean_curves(results: StudyResults, keys: Sequence[str]) -> dict[str, dict[str, Curve]]:
    """Average the curves of a network's seeds, at the steps that all of them have."""
    means: dict[str, dict[str, Curve]] = {}
    for network in results.networks:
        for key in keys:
            curves = [run.curves[key] for run in network.runs if key in run.curves]
            if len(curves) < len(network.runs):
                continue
            steps = [s for s in curves[0].points if all(s in c.points for c in curves)]
            points = {s: fmean(c.points[s] for c in curves) for s in steps}
            mean = Curve(curves[0].unit, curves[0].training, points)
            means.setdefault(network.label, {})[key] = mean
    return means


def draw_classes(results: StudyResults) -> Figure:
    """Draw one panel a class, one bar a network."""
    names = next(list(run.class_iou) for run in results.runs if run.class_iou)
    networks = [
        network
        for network in results.best_first()
        if all(set(names) <= set(run.class_iou) for run in network.runs)
    ]
    across = 2
    down = -(-len(names) // across)
    figure = Figure(
        (2.6 * across + 1.2, (0.2 * len(networks) + 0.55) * down + 0.4), layout='constrained'
    )
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    labels = [network.label for network in networks]
    colours = [_OURS if is_ours(network) else _OTHERS for network in networks]
    for name, axis in zip(names, axes.flat):
        values = [fmean(run.class_iou[name] for run in network.runs) for network in networks]
        axis.barh(labels, values, color=colours, height=0.75)
        for place, value in enumerate(values):
            inside = value > 80
            axis.text(
                value - 2 if inside else value + 2, place, f'{value:.0f}', fontsize=7,
                va='center', ha='right' if inside else 'left', color='white' if inside else 'black',
            )  # fmt: skip
        axis.set_title(name, fontsize=10)
        axis.set_xlim(0, 100)
        axis.tick_params(labelsize=8, length=0)
        axis.spines[['top', 'right', 'left']].set_visible(False)
    axes[0, 0].invert_yaxis()
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    figure.supxlabel('IoU (%)', fontsize=10)
    return figure
