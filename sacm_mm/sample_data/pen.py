"""Vector drawing of one object.

Object coordinates: the unit is the object's height, x runs right from its middle and y runs up from
its foot, so the same drawing serves any size in pixels.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from sacm_mm.sample_data.canvas import Sprite
from sacm_mm.sample_data.texture import Colour, fractal

Point = tuple[float, float]

GLASS: Colour = (64, 78, 92)
TYRE: Colour = (34, 34, 36)
METAL: Colour = (150, 152, 156)

_SUPERSAMPLE = 2
_SHIFT = 4  # OpenCV takes sub-pixel positions as integers with this many fractional bits


class Drawing(Protocol):
    """Draws one object `height` px tall, lit from `sun` (-1 left, 1 right), varied by chance."""

    def __call__(self, rng: np.random.Generator, height: float, sun: float) -> Sprite: ...


class Pen:
    """Draws filled shapes, each over the one before.

    Args:
        height: Object height in picture pixels.
        width: Width of the sheet over object height.
        flip: Mirror left and right.
        tilt: Rotation about the middle, radians; the sheet grows so that nothing is cut off.
    """

    def __init__(self, height: float, width: float, flip: bool = False, tilt: float = 0.0) -> None:
        rise = abs(math.sin(tilt)) * width + abs(math.cos(tilt))
        run = abs(math.cos(tilt)) * width + abs(math.sin(tilt))
        self.unit = max(height, 4.0) * _SUPERSAMPLE
        self._rows = max(2, math.ceil(rise * self.unit / _SUPERSAMPLE))
        self._cols = max(2, math.ceil(run * self.unit / _SUPERSAMPLE) + 2)
        sheet = self._rows * _SUPERSAMPLE, self._cols * _SUPERSAMPLE
        self._rgb = np.zeros((*sheet, 3), np.uint8)
        self._alpha = np.zeros(sheet, np.uint8)
        mirror = -1.0 if flip else 1.0
        turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
        self._turn = turn * np.array([mirror, 1.0])
        self._rise = rise

    def _to_sheet(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        centred = np.asarray(points, dtype=np.float64) - (0, 0.5)
        x, y = (centred @ self._turn.T).T
        px = self._alpha.shape[1] / 2 + x * self.unit
        py = self._alpha.shape[0] - (y + self._rise / 2) * self.unit
        return np.rint(np.stack([px, py], axis=1) * (1 << _SHIFT)).astype(np.int32)

    def poly(self, points: Sequence[Point] | np.ndarray, colour: Colour, smooth: int = 0) -> None:
        """Fill a polygon; each step of `smooth` cuts its corners once."""
        corners = np.asarray(points, dtype=np.float64)
        for _ in range(smooth):
            ahead = np.roll(corners, -1, axis=0)
            corners = np.stack([0.75 * corners + 0.25 * ahead, 0.25 * corners + 0.75 * ahead], 1)
            corners = corners.reshape(-1, 2)
        sheet = [self._to_sheet(corners)]
        cv2.fillPoly(self._rgb, sheet, colour, lineType=cv2.LINE_8, shift=_SHIFT)
        cv2.fillPoly(self._alpha, sheet, 255, lineType=cv2.LINE_8, shift=_SHIFT)

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fill the rectangle between two corners."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, angle: float = 0.0
    ) -> None:
        """Fill an ellipse; `angle` in radians."""
        t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        a, b = rx * np.cos(t), ry * np.sin(t)
        c, s = math.cos(angle), math.sin(angle)
        self.poly(np.stack([x + c * a - s * b, y + s * a + c * b], axis=1), colour)

    def stroke(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round joints, `width` in object heights."""
        sheet = [self._to_sheet(points)]
        thick = max(1, round(width * self.unit))
        cv2.polylines(self._rgb, sheet, False, colour, thick, cv2.LINE_8, _SHIFT)
        cv2.polylines(self._alpha, sheet, False, 255, thick, cv2.LINE_8, _SHIFT)

    def cut_out(
        self, rng: np.random.Generator, sun: float, grain: float = 0.06, form: float = 0.3
    ) -> Sprite:
        """Light the drawing and hand it over at picture size.

        Args:
            rng: Source of randomness.
            sun: Where the light comes from, -1 (left) to 1 (right).
            grain: Contrast of the surface texture, 0..1.
            form: How much darker the outline is than the middle: flat shapes look round.
        """
        size = (self._cols, self._rows)
        alpha = cv2.resize(self._alpha, size, interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(self._rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        inside = cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3)
        depth = np.minimum(inside / max(2.0, 0.1 * self._rows), 1)
        across = np.linspace(-1, 1, self._cols, dtype=np.float32)[None]
        up = np.linspace(1, -1, self._rows, dtype=np.float32)[:, None]
        light = (1 - form + 1.2 * form * depth) * (1 + 0.16 * sun * across + 0.1 * up)
        cell = max(2.0, 0.06 * self._rows)
        light *= 1 + grain * fractal(rng, self._rows, self._cols, cell, octaves=2)
        # The resized colours are already premultiplied: the sheet is black where nothing is drawn.
        return Sprite(np.minimum(rgb * light[..., None], 255), alpha / np.float32(255))
