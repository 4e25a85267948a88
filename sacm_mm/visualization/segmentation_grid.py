"""A sheet of test images with their truth and prediction."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sacm_mm.core.files import save_figure
from sacm_mm.core.labels import IGNORE_INDEX

VOID_COLOUR = (255, 255, 255)


def colourise(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint labels (H, W), integers -> RGB uint8 (H, W, 3); those outside the palette are white."""
    number = 1 + max(len(palette), int(labels.max(initial=0)))
    colours = np.full((number, 3), VOID_COLOUR, dtype=np.uint8)
    colours[: len(palette)] = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)
    return colours[labels]  # without another copy: they may be of a huge picture


def class_legend(
    seen: Collection[int], classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> list[Patch]:
    """Make legend entries of the labels that were seen; 255 is void."""
    entries = [
        Patch(
            facecolor='#{:02x}{:02x}{:02x}'.format(*palette[i]), edgecolor='0.4', label=classes[i]
        )
        for i in sorted(seen)
        if i < len(classes)
    ]
    if IGNORE_INDEX in seen:
        entries.append(Patch(facecolor='white', edgecolor='0.4', label='void (not counted)'))
    return entries


def save_segmentation_grid(
    rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    path: Path,
) -> None:
    """Draw one row a sample: image, truth, prediction, with a legend of the classes that occur.

    Args:
        rows: (image RGB uint8 (H, W, 3), truth (H, W), prediction (H, W)); truth 255 is void, and
            is left white in both pictures, since it does not count.
        classes: Class names.
        palette: RGB of each class.
        path: PNG to write.
    """
    titles = ('image', 'truth', 'prediction')
    height = sum(3.2 * image.shape[0] / image.shape[1] + 0.08 for image, *_ in rows)
    figure = Figure(figsize=(10, height + 1.1), layout='constrained')
    axes = figure.subplots(
        len(rows),
        3,
        squeeze=False,
        height_ratios=[image.shape[0] / image.shape[1] for image, *_ in rows],
    )
    seen: set[int] = set()
    for line, (image, truth, pred) in zip(axes, rows):
        seen.update(np.unique(truth).tolist(), np.unique(pred).tolist())
        shown = np.where(truth == IGNORE_INDEX, IGNORE_INDEX, pred)
        pictures = (image, colourise(truth, palette), colourise(shown, palette))
        for axis, picture in zip(line, pictures):
            axis.imshow(picture, interpolation='nearest')
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(axes[0], titles):
        axis.set_title(title)
    handles = class_legend(seen, classes, palette)
    figure.legend(handles=handles, loc='outside lower center', ncols=6, frameon=False, fontsize=9)
    save_figure(figure, path)
