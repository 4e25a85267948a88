"""A picture of what a classifier takes an image for."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_SHOWN = 5  # classes


def draw_class_scores(image: np.ndarray, names: Sequence[str], scores: np.ndarray) -> np.ndarray:
    """Draw an image beside its most likely classes.

    RGB uint8 (H, W, 3) -> RGB uint8 (h, w, 3).

    Args:
        image: The image.
        names: Name of each class.
        scores: Score of each class, 0 to 1.
    """
    best = scores.argsort()[::-1][:_SHOWN]
    figure = Figure((8, 3), layout='constrained')
    picture, bars = figure.subplots(1, 2)
    picture.imshow(image, interpolation='nearest')
    picture.set_axis_off()
    places = range(len(best))  # names may be the same: ImageNet has two cranes
    drawn = bars.barh(places, 100 * scores[best], color='#0072b2')
    bars.set_yticks(places, [_short(names[i]) for i in best])
    bars.bar_label(drawn, fmt='%.1f', padding=3)
    bars.invert_yaxis()
    bars.set(xlim=(0, 112), xlabel='score (%)', xticks=range(0, 101, 25))
    bars.spines[['top', 'right']].set_visible(False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _short(name: str) -> str:
    """The first of the synonyms that ImageNet's names list."""
    return name.split(',')[0]
