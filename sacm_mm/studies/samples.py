"""The same test images under every network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import save_figure
from sacm_mm.studies.results import Comparison
from sacm_mm.visualization.depth import DepthStyle
from sacm_mm.visualization.segmentation_grid import class_legend, colourise

_PANEL = 1.7  # inches
_RIGHT, _WRONG = '#009E73', '#D55E00'  # Okabe and Ito; a tick and a cross say the same


def draw_samples(comparison: Comparison, path: Path) -> bool:
    """Draw images, truth and the prediction of each row's first run; False where none are kept."""
    shown = []
    for row in comparison.best_first():
        folder = row.results[0].folder / 'samples'
        if (folder / 'samples.json').is_file():
            shown.append((row.label, folder, json.loads((folder / 'samples.json').read_text())))
    if not shown or not shown[0][2]['samples']:
        return False
    first = shown[0]
    same = [s for s in shown if _sources(s[2]) == _sources(first[2])]
    kind = first[2]['samples'][0]
    strips = _strips(same, kind)
    figure, axes = _sheet(strips, first)
    seen: set[int] = set()
    for line, (label, pictures) in zip(axes, strips):
        for axis, picture in zip(line, pictures):
            seen |= _show(axis, picture, first[2])
        line[0].set_title(label, fontsize=12, loc='left', pad=4)
    if 'pred' in kind and isinstance(kind['pred'], str):
        handles = class_legend(seen, first[2]['classes'], first[2]['palette'])
        figure.legend(
            handles=handles, loc='outside lower center', ncols=6, frameon=False, fontsize=9
        )
    elif 'pred_depth' in kind:
        style = DepthStyle()
        # matplotlib's layout leaves no room for the label of a bar under so narrow margins
        figure.get_layout_engine().set(rect=(0, 0.02, 1, 0.98))  # type: ignore
        figure.colorbar(
            axes[0, 0].figure.axes[-1].images[0], ax=list(axes.flat), location='bottom',
            shrink=0.5, aspect=40, label=style.label,
        )  # fmt: skip
    save_figure(figure, path, dpi=110)
    return True


def _sources(about: Mapping[str, Any]) -> list:
    return [(s.get('source'), s.get('gt')) for s in about['samples']]


def _strips(shown: Sequence, kind: Mapping[str, Any]) -> list[tuple[str, list]]:
    """List what is drawn: image, truth, then each network; classifiers need no picture for that."""
    _, folder, about = shown[0]
    samples = about['samples']
    strips: list[tuple[str, list]] = [('image', [folder / s['image'] for s in samples])]
    truth, answer = ('gt_depth', 'pred_depth') if 'pred_depth' in kind else ('gt', 'pred')
    if isinstance(kind.get(truth), str):
        strips.append(('truth', [folder / s[truth] for s in samples]))
    else:
        strips.append(('truth', [(s['gt'], None, None) for s in samples]))
    for label, folder, about in shown:
        if isinstance(kind[answer], str):
            mask = 'gt' if answer == 'pred' else None  # what is void in the truth stays white
            strips.append((label, [(folder / s[answer], mask and folder / s[mask])
                                   for s in about['samples']]))  # fmt: skip
        else:
            answers = [(s['pred'], s['gt'], s['score']) for s in about['samples']]
            strips.append((label, answers))
    return strips


def _sheet(strips: Sequence, first: Any) -> tuple[Figure, np.ndarray]:
    _, folder, about = first
    image = _read(folder / about['samples'][0]['image'])
    ratio = image.shape[0] / image.shape[1]
    heights = [
        ratio if isinstance(p[0], Path) or isinstance(p[0][0], Path) else 0.16 for _, p in strips
    ]
    columns = len(about['samples'])
    size = (_PANEL * columns, sum(_PANEL * h + 0.3 for h in heights) + 0.8)
    figure = Figure(size, layout='constrained')
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore
    axes = figure.subplots(len(strips), columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure, axes


def _show(axis: Axes, picture: Any, about: Mapping[str, Any]) -> set[int]:
    """Draw one panel; return the classes in it."""
    mask = None
    if isinstance(picture, tuple) and isinstance(picture[0], Path):
        picture, mask = picture
    if isinstance(picture, tuple):
        label, truth, score = picture
        _answer(axis, label, truth, score, about['classes'])
        return set()
    array = _read(picture)
    if picture.suffix == '.jpg':
        axis.imshow(array[..., ::-1])
        return set()
    if array.dtype == np.uint16:
        style = DepthStyle()
        metres = np.where(array == 0, np.nan, array / 1000)
        axis.imshow(metres, cmap=style.cmap, vmin=0, vmax=style.max_depth, interpolation='nearest')
        return set()
    if mask is not None:
        array = np.where(_read(mask) == 255, 255, array)
    axis.imshow(colourise(array, about['palette']), interpolation='nearest')
    return set(np.unique(array).tolist())


def _read(path: Path) -> np.ndarray:
    if not path.is_file():  # images and truth are kept once for all runs
        path = path.parents[3] / 'samples' / path.name
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise UserError(f"'{path}' is missing or damaged")
    return array


def _answer(
    axis: Axes, label: int, truth: int | None, score: float | None, classes: Sequence[str]
) -> None:
    axis.set_frame_on(False)
    name = classes[label] if classes else str(label)
    if truth is None:
        text, colour = name, 'black'
    else:
        right = label == truth
        text = f'{"✓" if right else "✗"} {name} {100 * (score or 0):.0f} %'
        colour = _RIGHT if right else _WRONG
    axis.text(0.5, 0.5, text, ha='center', va='center', color=colour, fontsize=9)
