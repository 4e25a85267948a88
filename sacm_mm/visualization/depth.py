"""Pictures of depth in one fixed range, with colour bars, errors and what was not measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import save_figure
from sacm_mm.core.labels import IGNORE_INDEX

from .class_colours import class_legend, colourise
from .sheet import Sheet

_NOT_MEASURED: dict[str, Any] = {
    'facecolor': '0.88',
    'edgecolor': '0.6',
    'hatch': '////',
    'linewidth': 0,
}
_TITLES = {
    'image': 'image',
    'truth': 'true depth',
    'prediction': 'predicted depth',
    'error': 'error',
    'true_labels': 'true classes',
    'labels': 'predicted classes',
}


class DepthStyle(NamedTuple):
    """How depth is drawn; the same for every picture of a data set, so that colours compare.

    Attributes:
        max_depth: End of the colour bar; what is farther has the last colour.
        cmap: Name of a matplotlib colormap.
        label: What the colour bar shows.
    """

    max_depth: float = 10.0
    cmap: str = 'turbo'
    label: str = 'depth (m)'

    def checked(self) -> 'DepthStyle':
        """Return this style.

        Raises:
            UserError: There is no such colormap, or the range is empty.
        """
        if self.cmap not in colormaps:
            raise UserError(f"colormap '{self.cmap}' does not exist: try turbo, viridis or magma_r")
        if not self.max_depth > 0:
            raise UserError(f'max_depth is {self.max_depth}: give more than 0')
        return self

    @property
    def max_error(self) -> float:
        """End of the colour bar of errors, to either side."""
        return self.max_depth / 5


class DepthPicture(NamedTuple):
    """What is known of a picture, each (H, W); 0 in the truth is "not measured".

    Attributes:
        image: (H, W, 3) uint8, RGB.
        prediction: Predicted depth.
        truth: True depth.
        labels: Predicted classes.
        true_labels: True classes, 255 is void.
    """

    image: np.ndarray
    prediction: np.ndarray | None = None
    truth: np.ndarray | None = None
    labels: np.ndarray | None = None
    true_labels: np.ndarray | None = None

    @property
    def error(self) -> np.ndarray | None:
        """Prediction minus truth where there is truth, NaN elsewhere."""
        if self.prediction is None or self.truth is None:
            return None
        return np.where(measured(self.truth), self.prediction - self.truth, np.nan)


def measured(truth: np.ndarray) -> np.ndarray:
    """Tell where a depth map has a measurement."""
    return np.isfinite(truth) & (truth > 0)


def draw_picture(
    picture: DepthPicture,
    style: DepthStyle,
    classes: Sequence[str] = (),
    palette: Sequence[Sequence[int]] = (),
) -> np.ndarray:
    """Draw one picture with all that is known of it -> RGB uint8 (h, w, 3).

    A column a task, the truth over the prediction, and the error below the image; without truth
    all is side by side.
    """
    layout = [['image', 'truth', 'true_labels'], ['error', 'prediction', 'labels']]
    known = [[name for name in row if getattr(picture, name) is not None] for row in layout]
    if picture.error is None:  # no truth, or nothing but truth: side by side
        known = [known[0] + known[1]]
    figure = _draw([[(picture, name) for name in row] for row in known], style, classes, palette, 5)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_grid(
    pictures: Sequence[DepthPicture],
    style: DepthStyle,
    path: Path,
    classes: Sequence[str] = (),
    palette: Sequence[Sequence[int]] = (),
) -> None:
    """Draw a row a picture: image, truth, prediction, error, and classes where there are any.

    Args:
        pictures: The rows; all know the same.
        style: Range and colours.
        path: PNG to write.
        classes: Class names.
        palette: RGB of each class.
    """
    known = [name for name in _TITLES if getattr(pictures[0], name) is not None]
    rows = [[(picture, name) for name in known] for picture in pictures]
    save_figure(_draw(rows, style, classes, palette, 3.2), path)


def _draw(
    rows: Sequence[Sequence[tuple[DepthPicture, str]]],
    style: DepthStyle,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    panel_width: float,
) -> Figure:
    """Draw panels, each so many inches wide, with a bar below the depths and the errors."""
    shapes = [row[0][0].image.shape for row in rows]
    panels = [panel for row in rows for panel in row]
    bars = any(name != 'image' and not name.endswith('labels') for _, name in panels)
    sheet = Sheet(shapes, len(rows[0]), panel_width, _legend(panels, classes, palette), bars)
    columns: dict[str, set[int]] = {}
    titles: set[str] = set()
    for row, line in enumerate(rows):
        for column, (picture, name) in enumerate(line):
            axis = sheet.panel(row, column, '' if name in titles else _TITLES[name])
            titles.add(name)
            if name == 'image':
                axis.imshow(picture.image)
            elif name.endswith('labels'):
                axis.imshow(colourise(_labels(picture, name), palette), interpolation='nearest')
            else:
                kind = 'error' if name == 'error' else 'depth'
                columns.setdefault(kind, set()).add(column)
                axis.imshow(_coloured(kind, _depth(picture, name), style))
                axis.patch.set(**_NOT_MEASURED)
    for kind, spanned in columns.items():
        _draw_bar(sheet, kind, spanned, style)
    return sheet.figure


def _labels(picture: DepthPicture, name: str) -> np.ndarray:
    """Classes to show: void in the truth does not count, so it is void in the prediction too."""
    labels = getattr(picture, name)
    if picture.true_labels is None:
        return labels
    return np.where(picture.true_labels == IGNORE_INDEX, IGNORE_INDEX, labels)


def _depth(picture: DepthPicture, name: str) -> np.ndarray:
    """Depth or errors to show, NaN where there are none."""
    values = getattr(picture, name)
    values = values if name == 'error' else np.where(measured(values), values, np.nan)
    return enlarge_points(values) if np.isnan(values).mean() > 0.5 else values


def enlarge_points(values: np.ndarray) -> np.ndarray:
    """Enlarge what a laser scanner measured, pixels in the midst of NaN, to dots one can see."""
    gaps = np.isnan(values)
    if gaps.all():
        return values
    reach = max(1, round(values.shape[1] / 400))
    distances, nearest = cv2.distanceTransformWithLabels(
        gaps.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    at_label = np.zeros(nearest.max() + 1, values.dtype)
    at_label[nearest[~gaps]] = values[~gaps]
    return np.where(distances <= reach, at_label[nearest], np.nan)


def _legend(
    panels: Sequence[tuple[DepthPicture, str]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> list[Patch]:
    seen: set[int] = set()
    hidden = False
    for picture, name in panels:
        if name.endswith('labels'):
            seen.update(np.unique(_labels(picture, name)).tolist())
        elif name != 'image':
            hidden |= bool(np.isnan(_depth(picture, name)).any())
    handles = class_legend(seen, classes, palette)
    return [*handles, Patch(**_NOT_MEASURED, label='not measured')] if hidden else handles


def _draw_bar(sheet: Sheet, kind: str, columns: set[int], style: DepthStyle) -> None:
    """Draw the colour bar of depth or of errors."""
    error = kind == 'error'
    unit = style.label[style.label.find('(') :]
    sheet.figure.colorbar(
        _scale(kind, style),
        cax=sheet.bar(columns),
        orientation='horizontal',
        label=f'prediction - truth {unit}' if error else style.label,
        extend='both' if error else 'max',
    )


def _scale(kind: str, style: DepthStyle) -> ScalarMappable:
    """Colours of depth, or of errors: blue is too near, red too far."""
    if kind == 'error':
        return ScalarMappable(Normalize(-style.max_error, style.max_error), 'coolwarm')
    return ScalarMappable(Normalize(0, style.max_depth), style.cmap)


def _coloured(kind: str, values: np.ndarray, style: DepthStyle) -> np.ndarray:
    """Colour values (H, W) -> RGBA (H, W, 4), transparent where they are NaN."""
    colours = _scale(kind, style).to_rgba(np.nan_to_num(values), bytes=True)
    colours[..., 3] = 255 * np.isfinite(values)
    return colours
