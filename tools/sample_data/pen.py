"""Colours, noise, and the pen that draws one object."""

import colorsys
from typing import NamedTuple

import cv2
import numpy as np

Colour = tuple[float, float, float]  # red, green, blue, 0..255
_FINER = 2  # drawn at twice the size, which softens the outline
_SHIFT = 4  # OpenCV takes sub-pixel positions as integers with this many fractional bits


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Turn hue (it wraps around), saturation and value, each 0..1, into a colour."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return 255 * r, 255 * g, 255 * b


def paint(rng: np.random.Generator) -> Colour:
    """Draw a colour as cars and clothes have it: one in three is white, grey or black."""
    if rng.random() < 0.33:
        return hsv(rng.random(), rng.uniform(0, 0.08), rng.choice([0.16, 0.35, 0.6, 0.9]))
    return hsv(rng.random(), rng.uniform(0.35, 0.9), rng.uniform(0.3, 0.85))


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (below 1) or brighter (above 1)."""
    r, g, b = (min(255.0, channel * factor) for channel in colour)
    return r, g, b


def fractal(
    rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 3
) -> np.ndarray:
    """Sum noise of halving grain, `cell` px at first -> (height, width) float32, about -1..1."""
    total, strength = np.zeros((height, width), np.float32), 1.0
    for _ in range(octaves):
        shape = min(height, int(height / cell) + 3), min(width, int(width / cell) + 3)
        grid = rng.random((max(shape[0], 2), max(shape[1], 2)), dtype=np.float32) * 2 - 1
        total += strength * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cell, strength = max(cell / 2, 1.0), 0.6 * strength
    return total


class Sprite(NamedTuple):
    """A cut-out: premultiplied RGB (h, w, 3) float32 0..255 and coverage (h, w) float32 0..1."""

    rgb: np.ndarray
    alpha: np.ndarray


class Pen:
    """Draws filled shapes, each over the one before.

    The unit is the object's height; x runs right from its middle, y up from its foot, so that the
    same drawing serves any size. Points are given as x, y, x, y, ...

    Args:
        height: Object height in picture pixels.
        width: Width of the sheet over object height.
        stretch: Factor of all x; a negative one mirrors.
    """

    def __init__(self, height: float, width: float, stretch: float = 1.0) -> None:
        self._unit, self._stretch = max(height, 4.0) * _FINER, stretch
        self._size = max(2, round(width * self._unit / _FINER) + 2), max(2, round(height))
        sheet = self._size[1] * _FINER, self._size[0] * _FINER
        self._layers = np.zeros((*sheet, 3), np.uint8), np.zeros(sheet, np.uint8)

    def _points(self, xy: tuple[float, ...]) -> list[np.ndarray]:
        x, y = np.reshape(xy, (-1, 2)).T * self._unit
        rows, cols = self._layers[1].shape
        points = np.stack([cols / 2 + self._stretch * x, rows - y], axis=1)
        return [np.rint(points * (1 << _SHIFT)).astype(np.int32)]

    def poly(self, colour: Colour, *xy: float) -> None:
        """Fill a polygon."""
        for layer, tone in zip(self._layers, (colour, 255)):
            cv2.fillPoly(layer, self._points(xy), tone, cv2.LINE_8, _SHIFT)

    def rect(self, colour: Colour, x0: float, y0: float, x1: float, y1: float) -> None:
        """Fill the rectangle between two corners."""
        self.poly(colour, x0, y0, x1, y0, x1, y1, x0, y1)

    def ellipse(
        self, colour: Colour, x: float, y: float, rx: float, ry: float, angle: float = 0.0
    ) -> None:
        """Fill an ellipse; `angle` in radians."""
        t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        a, b, c, s = rx * np.cos(t), ry * np.sin(t), np.cos(angle), np.sin(angle)
        self.poly(colour, *np.stack([x + c * a - s * b, y + s * a + c * b], axis=1).ravel())

    def stroke(self, colour: Colour, width: float, *xy: float) -> None:
        """Draw a line with round joints, `width` in object heights."""
        for layer, tone in zip(self._layers, (colour, 255)):
            thick = max(1, round(width * self._unit))
            cv2.polylines(layer, self._points(xy), False, tone, thick, cv2.LINE_8, _SHIFT)

    def cut_out(
        self, rng: np.random.Generator, sun: float, grain: float = 0.04, form: float = 0.25
    ) -> Sprite:
        """Light the drawing and hand it over at picture size.

        `grain` is the contrast of the surface, `form` how much darker the outline is, 0..1.
        """
        cols, rows = self._size
        rgb, alpha = (cv2.resize(i, self._size, interpolation=cv2.INTER_AREA) for i in self._layers)
        inside = cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3)
        across = np.linspace(-1, 1, cols, dtype=np.float32)[None]
        up = np.linspace(1, -1, rows, dtype=np.float32)[:, None]
        light = 1 - form + 1.2 * form * np.minimum(inside / max(2.0, 0.1 * rows), 1)
        light = light * (1 + 0.16 * sun * across + 0.1 * up)
        light *= 1 + grain * fractal(rng, rows, cols, max(2.0, 0.06 * rows), octaves=2)
        # the resized colours are premultiplied: the sheet is black where nothing is drawn
        return Sprite(np.minimum(rgb * light[..., None], 255), alpha / np.float32(255))
