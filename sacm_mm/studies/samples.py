"""The same test images under every network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import save_figure
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.studies.results import RunResult, StudyResults, read_record
from sacm_mm.visualization.class_colours import class_legend, colourise
from sacm_mm.visualization.depth import DepthStyle

_PANEL = 1.7  # inches
_RIGHT, _WRONG = '#009E73', '#D55E00'  # Okabe and Ito; a tick and a cross say the same
_QUALITY = 70  # of the WebP file: photographs


@dataclass(frozen=True)
class _Samples:
    """What one run kept.

    Attributes:
        label: Of its network.
        folder: Where its predictions are; images and truth are kept once for all runs.
        about: What its ``samples.json`` says.
    """

    label: str
    folder: Path
    about: Mapping[str, Any]

    @property
    def samples(self) -> Sequence[Mapping[str, Any]]:
        """For each image its size and source, and a classifier's answers."""
        return self.about['samples']

    @property
    def sources(self) -> list:
        """Which images these are."""
        return [(s.get('source'), s.get('gt')) for s in self.samples]

    def pictures(self, kind: str) -> list[np.ndarray]:
        """Read the images, the truth or the predictions, which stand below each other in a file.

        Raises:
            UserError: The file is missing or damaged.
        """
        path = self.folder / self.about['files'][kind]
        if not path.is_file():
            path = self.folder.parents[1] / 'samples' / path.name
        stack = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if stack is None or len(stack) != sum(sample['size'][0] for sample in self.samples):
            raise UserError(f"'{path}' is missing or damaged")
        found, top = [], 0
        for height, width in (sample['size'] for sample in self.samples):
            found.append(stack[top : top + height, :width])
            top += height
        return found


def draw_samples(results: StudyResults, path: Path) -> bool:
    """Draw images, truth and the predictions of each network's first run that kept them.

    Returns:
        False where none are kept.

    Raises:
        UserError: What is kept is damaged.
    """
    path.unlink(missing_ok=True)
    try:
        kept = [samples for n in results.best_first() if (samples := _first(n.label, n.runs))]
        if not kept or not kept[0].samples:
            return False
        figure = _draw([samples for samples in kept if samples.sources == kept[0].sources])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f'a samples.json is damaged: {one_line(error)}') from error
    save_figure(figure, path, dpi=110, quality=_QUALITY)
    return True


def _first(label: str, runs: Sequence[RunResult]) -> _Samples | None:
    for run in runs:
        if (run.folder / 'samples.json').is_file():
            return _Samples(label, run.folder, read_record(run.folder / 'samples.json'))
    return None


def _draw(kept: Sequence[_Samples]) -> Figure:
    """Draw a strip for the images, for the truth and for each network."""
    first = kept[0]
    images = first.pictures('image')
    height, width = first.samples[0]['size']
    ratio = height / width
    kind = next((k for k in ('pred_depth', 'pred') if k in first.about['files']), '')
    below = ratio if kind else 0.16
    figure, axes = _sheet([ratio] + [below] * (len(kept) + 1), len(images))
    for axis, image in zip(axes[0], images):
        axis.imshow(image[..., ::-1])
    for line, title in zip(axes, ('image', 'truth', *(run.label for run in kept))):
        line[0].set_title(' ', fontsize=12, pad=4)  # its height alone: names may be wider
        line[0].annotate(
            title, (0, 1), (0, 4), 'axes fraction', 'offset points', fontsize=12, parse_math=False,
            in_layout=False,
        )  # fmt: skip
    if kind == 'pred':
        _draw_classes(figure, axes[1:], kept)
    elif kind == 'pred_depth':
        _draw_depth(figure, axes[1:], kept)
    else:
        _write_answers(axes[1:], kept)
    return figure


def _sheet(heights: Sequence[float], columns: int) -> tuple[Figure, np.ndarray]:
    size = (_PANEL * columns, sum(_PANEL * height + 0.3 for height in heights) + 0.8)
    figure = Figure(size, layout='constrained')
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure, axes


def _draw_classes(figure: Figure, axes: np.ndarray, kept: Sequence[_Samples]) -> None:
    """Draw class maps; what is void in the truth is void in the predictions."""
    palette, seen = kept[0].about['palette'], set()
    truth = kept[0].pictures('gt')
    for line, labels in zip(axes, (truth, *(run.pictures('pred') for run in kept))):
        for axis, wanted, found in zip(line, truth, labels):
            shown = np.where(wanted == IGNORE_INDEX, IGNORE_INDEX, found)
            axis.imshow(colourise(shown, palette), interpolation='nearest')
            seen |= set(np.unique(shown).tolist())
    handles = class_legend(seen, kept[0].about['classes'], palette)
    figure.legend(handles=handles, loc='outside lower center', ncols=6, frameon=False, fontsize=9)


def _draw_depth(figure: Figure, axes: np.ndarray, kept: Sequence[_Samples]) -> None:
    style = DepthStyle(**kept[0].about.get('depth_style', {}))  # before 0.2.0 there was one
    maps = [kept[0].pictures('gt_depth'), *(run.pictures('pred_depth') for run in kept)]
    for line, depths, run in zip(axes, maps, (kept[0], *kept)):
        for axis, depth in zip(line, depths):
            metres = np.where(depth == 0, np.nan, depth / run.about['depth_scale'])
            axis.imshow(
                metres, cmap=style.cmap, vmin=0, vmax=style.max_depth, interpolation='nearest'
            )
    # matplotlib's layout leaves no room for the label of a bar under so narrow margins
    figure.get_layout_engine().set(rect=(0, 0.02, 1, 0.98))  # type: ignore
    figure.colorbar(
        axes[0, 0].images[0], ax=figure.axes, location='bottom', shrink=0.5, aspect=40, pad=0.01,
        label=style.label,
    )  # fmt: skip


def _write_answers(axes: np.ndarray, kept: Sequence[_Samples]) -> None:
    """Write what classifiers answer; none of them needs a picture for that."""
    for line, run, key in zip(axes, (kept[0], *kept), ('gt', *['pred'] * len(kept))):
        names = run.about['classes']
        for axis, sample in zip(line, run.samples):
            labels = _several(sample[key])
            text = ', '.join(names[i] if names else str(i) for i in labels) or 'none'
            colour = 'black'
            if key == 'pred':
                right = set(labels) == set(_several(sample['gt']))
                score = '' if isinstance(sample[key], list) else f' {100 * sample["score"]:.0f} %'
                text = f'{"✓" if right else "✗"} {text}{score}'
                colour = _RIGHT if right else _WRONG
            axis.set_frame_on(False)
            axis.text(
                0.5, 0.5, text, ha='center', va='center', color=colour, fontsize=9,
                parse_math=False,
            )  # fmt: skip


def _several(labels: int | list[int]) -> list[int]:
    return labels if isinstance(labels, list) else [labels]
