"""The sheet a scene is painted on: picture, mask and depth are changed together, so they agree."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sacm_mm.sample_data.texture import fractal


class Placed(NamedTuple):
    """One object on the canvas: class id, distance in metres, (left, top, right, bottom) in px."""

    label: int
    depth: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A picture with its ground truth.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8, class ids of the scene's own label set.
        depth: (H, W) float32, metres along the optical axis.
        objects: what was painted, farthest first; boxes include what others hide.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    objects: tuple[Placed, ...] = ()


class Sprite(NamedTuple):
    """A cut-out: premultiplied RGB (h, w, 3) float32 0..255 and coverage (h, w) float32 0..1."""

    rgb: np.ndarray
    alpha: np.ndarray


class Canvas:
    """Paints sprites back to front.

    Args:
        image: (H, W, 3) float32 0..255, the background.
        labels: (H, W) uint8, its classes.
        depth: (H, W) float32, its distances in metres.
    """

    def __init__(self, image: np.ndarray, labels: np.ndarray, depth: np.ndarray) -> None:
        self.image = np.ascontiguousarray(image, dtype=np.float32)
        self.labels = labels
        self.depth = depth
        self.painted = np.zeros(labels.shape, dtype=bool)
        self.objects: list[Placed] = []

    def place(self, sprite: Sprite, label: int, centre: float, foot: float, depth: float) -> None:
        """Paint a sprite whose bottom edge rests on row `foot`, at one depth."""
        height, width = sprite.alpha.shape
        left, top = round(centre - width / 2), round(foot) - height
        rows, cols = self.labels.shape
        box = (max(left, 0), max(top, 0), min(left + width, cols), min(top + height, rows))
        x0, y0, x1, y1 = box
        if x0 >= x1 or y0 >= y1:
            return
        here = slice(y0, y1), slice(x0, x1)
        cut = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        alpha = sprite.alpha[cut]
        self.image[here] = self.image[here] * (1 - alpha[..., None]) + sprite.rgb[cut]
        # A pixel belongs to the object that covers at least half of it: masks have no soft edge.
        covered = alpha >= 0.5
        self.labels[here][covered] = label
        self.depth[here][covered] = depth
        self.painted[here][covered] = True
        self.objects.append(Placed(label, depth, box))

    def shadow(
        self, sprite: Sprite, centre: float, foot: float, shear: float, strength: float
    ) -> None:
        """Darken the ground where an object about to be placed keeps the light away.

        The mask does not change: a shadow is background.
        """
        height, width = sprite.alpha.shape
        rows, cols = self.labels.shape
        flat, blur = 0.22, max(1.0, 0.012 * rows)
        left, drift = centre - width / 2, shear * height
        reach = int(4 * blur) + 2
        x0 = max(0, int(left + min(drift, 0)) - reach)
        x1 = min(cols, int(left + width + max(drift, 0)) + reach)
        y0 = max(0, int(foot - flat * height) - reach)
        y1 = min(rows, int(foot + 0.03 * height) + reach)
        if x0 >= x1 or y0 >= y1:
            return
        here = slice(y0, y1), slice(x0, x1)
        to_ground = np.array(
            [[1, -shear, left + drift - x0], [0, flat, foot - flat * height - y0]], np.float32
        )
        cast = cv2.warpAffine(sprite.alpha, to_ground, (x1 - x0, y1 - y0))
        axes = (max(1, int(width * 0.42)), max(1, int(height * 0.03)))
        contact = np.zeros(cast.shape, np.uint8)
        cv2.ellipse(contact, (int(centre - x0), int(foot - y0)), axes, 0, 0, 360, 255, -1)
        cast = cv2.GaussianBlur(np.maximum(cast, contact / np.float32(255)), (0, 0), blur)
        cast[self.painted[here]] = 0
        self.image[here] *= (1 - strength * cast)[..., None]

    def reflect(self, sprite: Sprite, centre: float, foot: float, strength: float) -> None:
        """Mirror an object about to be placed in the water below it; the mask does not change."""
        height, width = sprite.alpha.shape
        size = (width, max(2, int(height * 0.6)))
        rgb = cv2.resize(np.flipud(sprite.rgb), size, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(np.flipud(sprite.alpha), size, interpolation=cv2.INTER_AREA)
        fade = np.linspace(strength, 0, size[1], dtype=np.float32)[:, None]
        before = self.labels.copy(), self.depth.copy(), self.painted.copy()
        faded = Sprite(rgb * fade[..., None], alpha * fade)
        self.place(faded, 0, centre, round(foot) + size[1], 0.0)
        self.objects.pop()
        self.labels, self.depth, self.painted = before

    def develop(self, rng: np.random.Generator) -> np.ndarray:
        """Take the photograph: light falloff, exposure, white balance, blur and sensor noise.

        Returns:
            (H, W, 3) uint8, RGB.
        """
        rows, cols = self.labels.shape
        y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, cols, dtype=np.float32)[None]
        light = 1 + rng.uniform(-0.1, 0.1) * x + rng.uniform(-0.1, 0.1) * y
        light -= rng.uniform(0, 0.12) * (x * x + y * y)
        light += 0.04 * fractal(rng, rows, cols, cell=cols / 2, octaves=1)
        gains = (rng.uniform(0.78, 1.18) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        photo = cv2.GaussianBlur(self.image * light[..., None], (0, 0), rng.uniform(0.4, 0.75))
        noise = rng.standard_normal(self.image.shape, dtype=np.float32)
        photo = photo * gains + rng.uniform(1.5, 6) * noise
        contrast = rng.uniform(0.88, 1.12)
        return np.clip((photo - 118) * contrast + 118, 0, 255).astype(np.uint8)
