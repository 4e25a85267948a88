"""Classes painted over the picture that they were found in."""

from collections.abc import Sequence

import cv2
import numpy as np

from .class_colours import colourise

_ROWS = 1024  # painted at a time: a huge picture needs no second copy in floats
_SIZE = 0.5  # of the legend's letters, in OpenCV's unit
_LINE = 22  # pixels


def draw_overlay(
    image: np.ndarray, labels: np.ndarray, palette: Sequence[Sequence[int]], opacity: float = 0.5
) -> np.ndarray:
    """Paint classes (H, W) over an image (H, W, 3), uint8 -> (H, W, 3), uint8.

    Args:
        image: The image.
        labels: Class of each pixel; those outside the palette are painted white.
        palette: Colour of each class, its channels in the image's order.
        opacity: 0 shows the image alone, 1 the classes alone.
    """
    drawn = image.copy()
    for top in range(0, len(image), _ROWS):
        part = slice(top, top + _ROWS)
        painted = colourise(labels[part], palette)
        drawn[part] = cv2.addWeighted(painted, opacity, image[part], 1 - opacity, 0)
    return drawn


def count_labels(labels: np.ndarray, number: int = 0) -> np.ndarray:
    """Count the pixels of each class (H, W) -> (C,), C at least ``number``.

    NumPy counts in 64 bits, which would be eight copies of a huge picture of classes.
    """
    most = max(int(labels.max(initial=0)) + 1, number)
    rows = range(0, len(labels), _ROWS)
    parts = (np.bincount(labels[r : r + _ROWS].ravel(), minlength=most) for r in rows)
    return sum(parts, np.zeros(most, np.int64))


def add_legend(
    image: np.ndarray, labels: np.ndarray, names: Sequence[str], palette: Sequence[Sequence[int]]
) -> np.ndarray:
    """Add the names and colours of the classes that occur below an image, see ``draw_overlay``."""
    found = np.flatnonzero(count_labels(labels)).tolist()
    seen = [i for i in found if i < len(names)]
    width = image.shape[1]
    entry = max((_width(names[i]) for i in seen), default=0) + 2 * _LINE
    columns = max(1, width // entry)
    rows = -(-len(seen) // columns)
    strip = np.full((rows * _LINE + 8, max(width, entry), 3), 255, np.uint8)
    for place, label in enumerate(seen):
        row, column = divmod(place, columns)
        x, y = 6 + column * entry, 4 + row * _LINE
        colour = tuple(int(value) for value in palette[label])
        cv2.rectangle(strip, (x, y + 4), (x + 14, y + 18), colour, -1)
        cv2.rectangle(strip, (x, y + 4), (x + 14, y + 18), (90, 90, 90), 1)
        cv2.putText(
            strip, _ascii(names[label]), (x + 20, y + 16), cv2.FONT_HERSHEY_SIMPLEX, _SIZE,
            (0, 0, 0), 1, cv2.LINE_AA,
        )  # fmt: skip
    missing = strip.shape[1] - width  # a picture narrower than one name
    wide = cv2.copyMakeBorder(image, 0, 0, 0, missing, cv2.BORDER_CONSTANT, value=(255,) * 3)
    return np.concatenate([wide, strip])


def _width(name: str) -> int:
    return cv2.getTextSize(_ascii(name), cv2.FONT_HERSHEY_SIMPLEX, _SIZE, 1)[0][0]


def _ascii(name: str) -> str:
    """OpenCV's letters are those of ASCII."""
    return name.encode('ascii', 'replace').decode()
