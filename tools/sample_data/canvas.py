"""The sheet a scene is painted on: picture, mask and depth are changed together, so they agree."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sample_data.pen import Colour, Sprite, fractal, hsv

FAR = 80.0  # metres: the sky and everything beyond
FOCAL = 1.2  # focal length of the cameras over the shorter side of the picture


class Placed(NamedTuple):
    """One object on the canvas: class id, distance in metres, (left, top, right, bottom) in px."""

    label: int
    depth: float
    box: tuple[int, int, int, int]


class Scene(NamedTuple):
    """A picture with its ground truth.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8, class ids of the scene's own label set.
        depth: (H, W) float32, metres along the optical axis.
        objects: What was painted, farthest first; boxes include what others hide.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    objects: tuple[Placed, ...] = ()


@dataclass(frozen=True)
class Camera:
    """A level camera above a plane: picture size and horizon in px, focal length, height in m."""

    rows: int
    cols: int
    horizon: float
    focal: float
    above: float

    def foot_row(self, depth: float) -> float:
        """Row at which something `depth` metres away stands."""
        return self.horizon + self.focal * self.above / depth

    def plane(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel meets the plane: metres right (H, W) and ahead (H, 1), up to `FAR`."""
        below = np.arange(self.rows, dtype=np.float32)[:, None] + 0.5 - self.horizon
        ahead = np.minimum(self.focal * self.above / np.maximum(below, 1e-3), FAR)
        columns = np.arange(self.cols, dtype=np.float32)[None] + 0.5 - self.cols / 2
        return columns * ahead / self.focal, ahead.astype(np.float32)

    def texture(self, rng: np.random.Generator, grain: float, fine: float) -> np.ndarray:
        """Lay noise of contrast `grain` on the plane in perspective -> (H, W, 1), about 1."""
        tile = fractal(rng, 192, 192, 16, octaves=4)
        tile = np.hstack([tile, tile[:, ::-1]])
        tile = np.vstack([tile, tile[::-1]])  # mirrored, so it repeats without a seam
        across, ahead = self.plane()
        density = np.float32(fine * 0.35 * self.rows / self.above)
        u = np.mod(across * density, np.float32(384))
        v = np.ascontiguousarray(np.broadcast_to(np.mod(ahead * density, 384), u.shape))
        pattern = cv2.remap(tile, u, v.astype(np.float32), cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
        fade = np.clip(5 * self.above / ahead, 0.15, 1)  # far grain is finer than a pixel
        return (1 + grain * fade * pattern)[..., None]

    def outdoors(self, rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
        """Put haze, sky and a line of trees or hills behind a ground; returns where they grow."""
        _, ahead = self.plane()
        veil = 0.45 * (ahead / FAR)[..., None]
        image[:] = image * (1 - veil) + 210 * veil
        hue, dull = rng.uniform(0.54, 0.61), rng.uniform(0, 0.55)
        zenith = np.array(hsv(hue, 0.55 - 0.7 * dull, rng.uniform(0.6, 0.95)), np.float32)
        low = np.array(hsv(rng.choice([hue, 0.08]), 0.12, rng.uniform(0.8, 0.97)), np.float32)
        rows = np.arange(self.rows, dtype=np.float32)[:, None]
        sky = zenith + (low - zenith) * np.clip(rows / self.horizon, 0, 1)[..., None]
        noise = fractal(rng, self.rows, self.cols, self.rows / 5, octaves=5)
        cover = 0.85 * np.clip((noise - rng.uniform(-0.2, 0.9)) * 1.6, 0, 1)[..., None]
        sky = sky * (1 - cover) + rng.uniform(195, 250) * cover
        above = rows[:, 0] + 0.5 < self.horizon
        image[above] = sky[above]
        tall = rng.uniform(0.04, 0.18) * self.rows
        line = fractal(rng, 2, self.cols, self.cols / rng.uniform(2, 9), int(rng.integers(1, 6)))[0]
        grown = above[:, None] & (rows + 0.5 >= self.horizon - tall * (0.55 + 0.45 * line))
        green = hsv(rng.uniform(0.2, 0.42), rng.uniform(0.2, 0.5), rng.uniform(0.25, 0.5))
        rough = 1 + 0.12 * fractal(rng, self.rows, self.cols, max(2, self.rows / 40), octaves=2)
        air = rng.uniform(0.1, 0.6)
        hills = (np.array(green) * (1 - air) + 208 * air) * rough[..., None]
        image[grown] = hills[grown]
        return grown


def fill(camera: Camera, colour: Colour) -> np.ndarray:
    """Make an image (H, W, 3) float32 of one colour."""
    return np.full((camera.rows, camera.cols, 3), colour, np.float32)


class Canvas:
    """Paints sprites back to front, over a background with its classes and depth in metres."""

    def __init__(self, image: np.ndarray, labels: np.ndarray, depth: np.ndarray) -> None:
        self.image = np.ascontiguousarray(image, dtype=np.float32)
        self.labels, self.depth = labels, depth
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
        # a pixel belongs to the object that covers at least half of it: masks have no soft edge
        covered = alpha >= 0.5
        self.labels[here][covered] = label
        self.depth[here][covered] = depth
        self.painted[here][covered] = True
        self.objects.append(Placed(label, depth, box))

    def shadow(self, sprite: Sprite, centre: float, foot: float, shear: float) -> None:
        """Darken the ground where an object about to be placed keeps the light away.

        The mask does not change: a shadow is background.
        """
        height, width = sprite.alpha.shape
        rows, cols = self.labels.shape
        left, top = centre - width / 2 + shear * height, foot - 0.22 * height
        first, last = max(0, int(top) - 9), min(rows, int(foot) + 9)
        if first < last:
            cast = np.array([[1, -shear, left], [0, 0.22, top - first]], np.float32)
            cast = cv2.warpAffine(sprite.alpha, cast, (cols, last - first))
            cast = cv2.GaussianBlur(cast, (0, 0), max(1.0, 0.012 * rows))
            self.image[first:last] *= (1 - 0.45 * cast * ~self.painted[first:last])[..., None]

    def develop(self, rng: np.random.Generator) -> np.ndarray:
        """Take the photograph: light falloff, exposure, blur and noise -> (H, W, 3) uint8, RGB."""
        rows, cols = self.labels.shape
        y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, cols, dtype=np.float32)[None]
        light = 1 + rng.uniform(-0.1, 0.1) * x + rng.uniform(-0.1, 0.1) * y - 0.08 * (x * x + y * y)
        gains = (rng.uniform(0.78, 1.18) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        photo = cv2.GaussianBlur(self.image * light[..., None], (0, 0), rng.uniform(0.4, 0.75))
        noise = rng.standard_normal(self.image.shape, dtype=np.float32)
        photo = photo * gains + rng.uniform(1.5, 6) * noise
        return np.clip((photo - 118) * rng.uniform(0.88, 1.12) + 118, 0, 255).astype(np.uint8)
