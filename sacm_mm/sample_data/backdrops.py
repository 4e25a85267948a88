"""Places for objects to stand in: a camera over a plane, and what is seen behind."""

from dataclasses import dataclass

import cv2
import numpy as np

from sacm_mm.sample_data.texture import Colour, fractal, hsv, mix, paint, shade

FAR = 80.0
"""Depth of the sky and of everything beyond, metres."""

FOCAL = 1.2
"""Focal length of the cameras over the shorter side of the picture."""


@dataclass(frozen=True)
class Camera:
    """A level camera above a plane.

    Args:
        rows: Picture height, px.
        cols: Picture width, px.
        horizon: Row of the horizon, px.
        focal: Focal length, px.
        above: Height above the plane, metres.
    """

    rows: int
    cols: int
    horizon: float
    focal: float
    above: float

    def foot_row(self, depth: float) -> float:
        """Row at which something `depth` metres away stands."""
        return self.horizon + self.focal * self.above / depth

    def depth_at(self, row: float) -> float:
        """Distance in metres of the plane at a row below the horizon."""
        return min(FAR, self.focal * self.above / max(row - self.horizon, 1e-6))

    def plane(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each pixel meets the plane.

        Returns:
            Metres right of the camera (H, W) and metres ahead (H, 1), both float32; above the
            horizon the distance is `FAR`.
        """
        below = np.arange(self.rows, dtype=np.float32)[:, None] + 0.5 - self.horizon
        ahead = np.minimum(self.focal * self.above / np.maximum(below, 1e-3), FAR)
        columns = np.arange(self.cols, dtype=np.float32)[None] + 0.5 - self.cols / 2
        return columns * ahead / self.focal, ahead.astype(np.float32)


@dataclass(frozen=True)
class Backdrop:
    """A background: image (H, W, 3) float32 0..255 and depth (H, W) float32 metres."""

    image: np.ndarray
    depth: np.ndarray


def fill(camera: Camera, colour: Colour) -> np.ndarray:
    """Make an image of one colour."""
    return np.full((camera.rows, camera.cols, 3), colour, np.float32)


def textured(
    rng: np.random.Generator, camera: Camera, grain: float, fine: float = 1.0, along: float = 1.0
) -> np.ndarray:
    """Lay noise on the plane in perspective.

    Args:
        rng: Source of randomness.
        camera: The camera.
        grain: Contrast, 0..1.
        fine: Density of the pattern.
        along: How much longer than wide the pattern is.

    Returns:
        (H, W) float32 brightness factors about 1.
    """
    side = 192
    quarter = fractal(rng, side, side, 16, octaves=4)
    half = np.hstack([quarter, quarter[:, ::-1]])
    tile = np.vstack([half, half[::-1]])  # mirrored, so it repeats without a seam
    period = np.float32(2 * side)
    across, ahead = camera.plane()
    density = np.float32(fine * 0.35 * camera.rows / camera.above)
    u = across * density + side
    u -= period * np.floor(u / period)
    v = ahead * (density / np.float32(along))
    v -= period * np.floor(v / period)
    v = np.ascontiguousarray(np.broadcast_to(v, u.shape))
    pattern = cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    fade = np.clip(2 * camera.above / ahead * 2.5, 0.15, 1)  # far grain is finer than a pixel
    return 1 + grain * fade * pattern


def sky(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Paint a sky with clouds over the whole picture, (H, W, 3) float32."""
    hue, dull = rng.uniform(0.54, 0.61), rng.uniform(0, 0.55)
    zenith = np.array(hsv(hue, 0.55 - 0.7 * dull, rng.uniform(0.6, 0.95)), np.float32)
    low = np.array(hsv(rng.choice([hue, 0.08]), 0.12, rng.uniform(0.8, 0.97)), np.float32)
    t = np.clip(np.arange(camera.rows, dtype=np.float32) / max(camera.horizon, 1), 0, 1)
    image = zenith + (low - zenith) * t[:, None, None]
    noise = fractal(rng, camera.rows, camera.cols, camera.rows / 5, octaves=5, stretch=2.2)
    cover = np.clip((noise - rng.uniform(-0.2, 0.9)) * 1.6, 0, 1)[..., None]
    cloud = rng.uniform(200, 252) - 22 * np.clip(noise, 0, 1)[..., None]
    return image * (1 - 0.85 * cover) + cloud * (0.85 * cover)


def skyline(
    rng: np.random.Generator, camera: Camera, image: np.ndarray, colour: Colour, tall: float
) -> None:
    """Paint hills or a line of trees along the horizon, `tall` in px."""
    rough, size = int(rng.integers(1, 6)), camera.cols / rng.uniform(2, 9)
    line = fractal(rng, 2, camera.cols, size, octaves=rough)[0]
    tops = camera.horizon - tall * (0.55 + 0.45 * line)
    rows = np.arange(camera.rows)[:, None]
    inside = (rows >= tops[None]) & (rows <= camera.horizon + 2)
    grain = 1 + 0.12 * fractal(rng, camera.rows, camera.cols, max(2, camera.rows / 40), octaves=2)
    image[inside] = (np.array(colour, np.float32) * grain[..., None])[inside]


def haze(image: np.ndarray, ahead: np.ndarray, colour: Colour, strength: float) -> None:
    """Let the plane, `ahead` (H, 1) metres away, fade into the air; works in place."""
    veil = (strength * np.clip(ahead / FAR, 0, 1)).astype(np.float32)[..., None]
    image *= 1 - veil
    image += np.array(colour, np.float32) * veil


def _outdoors(rng: np.random.Generator, camera: Camera, ground: np.ndarray) -> Backdrop:
    """Put sky and a skyline behind a ground."""
    _, ahead = camera.plane()
    depth = np.repeat(ahead, camera.cols, axis=1)
    rows = np.arange(camera.rows) + 0.5
    image = ground
    haze(image, ahead, (205, 212, 220), 0.45)
    above = rows < camera.horizon
    image[above] = sky(rng, camera)[above]
    if rng.random() < 0.8:
        green = hsv(rng.uniform(0.2, 0.42), rng.uniform(0.15, 0.5), rng.uniform(0.25, 0.55))
        far = mix(green, (200, 208, 216), rng.uniform(0.1, 0.7))
        skyline(rng, camera, image, far, rng.uniform(0.04, 0.2) * camera.rows)
    return Backdrop(image, depth)


def field(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """Grass, dry grass or sand under the sky."""
    hue, strong, bright = [(0.25, 0.55, 0.5), (0.14, 0.4, 0.7), (0.1, 0.3, 0.8)][rng.integers(3)]
    colour = hsv(hue + rng.normal(0, 0.02), strong, bright * rng.uniform(0.8, 1.1))
    grain = textured(rng, camera, 0.2, fine=3.5, along=1.6) * textured(rng, camera, 0.1, fine=0.4)
    return _outdoors(rng, camera, fill(camera, colour) * grain[..., None])


def road(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """Asphalt with lane markings, grass or pavement beside it."""
    across, ahead = camera.plane()
    turn = rng.uniform(-0.15, 0.15)
    across = across + turn * ahead + rng.uniform(-1.5, 1.5)
    grey = rng.uniform(85, 140)
    image = fill(camera, (grey, grey, grey + 4))
    verge = hsv(0.25, 0.45, 0.45) if rng.random() < 0.6 else (150.0, 142.0, 132.0)
    half = rng.uniform(3.5, 6)
    image[np.abs(across) > half] = verge
    paint_line = (np.abs(across) < 0.1) & (ahead % 5 < 2.5) | (np.abs(np.abs(across) - half) < 0.12)
    image[paint_line & (ahead < 50)] = 222
    image *= textured(rng, camera, 0.13, fine=2.5)[..., None]
    return _outdoors(rng, camera, image)


def sea(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """Open water with waves."""
    colour = hsv(rng.uniform(0.45, 0.62), rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.7))
    waves = textured(rng, camera, 0.2, fine=1.2, along=0.6)
    image = fill(camera, colour) * waves[..., None]
    image += 150 * np.clip(waves[..., None] - 1.28, 0, 1)
    return _outdoors(rng, camera, image)


def _indoors(
    rng: np.random.Generator, camera: Camera, plane: np.ndarray, wall_depth: float
) -> Backdrop:
    """Put a wall with things on it behind a floor or a table."""
    _, ahead = camera.plane()
    depth = np.repeat(np.minimum(ahead, wall_depth), camera.cols, axis=1)
    foot = camera.foot_row(wall_depth)
    wall = np.arange(camera.rows) + 0.5 < foot
    colour = hsv(rng.random(), rng.uniform(0.03, 0.4), rng.uniform(0.5, 0.95))
    image = fill(camera, colour)
    if rng.random() < 0.35:
        period = rng.integers(8, 30)
        image[:, (np.arange(camera.cols) // period) % 2 == 0] *= 0.93
    for _ in range(int(rng.integers(0, 3))):
        _wall_piece(rng, camera, image, foot)
    image *= 1 + 0.05 * fractal(rng, camera.rows, camera.cols, 16, octaves=3)[..., None]
    bottom = int(foot)
    image[max(0, bottom - max(1, camera.rows // 50)) : bottom] *= 0.75
    return Backdrop(np.where(wall[:, None, None], image, plane), depth)


def _wall_piece(rng: np.random.Generator, camera: Camera, image: np.ndarray, foot: float) -> None:
    """Hang a picture, a window or a shelf on the wall: none of these is a screen."""
    wide = int(rng.uniform(0.12, 0.32) * camera.cols)
    tall = int(rng.uniform(0.15, 0.35) * camera.rows)
    x = int(rng.uniform(-0.05, 0.9) * camera.cols)
    y = int(rng.uniform(-0.1, 0.75) * foot)
    rim = max(1, camera.rows // 60)
    frame = hsv(rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.95))
    cv2.rectangle(image, (x, y), (x + wide, y + tall), frame, -1)
    inner = paint(rng)
    cv2.rectangle(image, (x + rim, y + rim), (x + wide - rim, y + tall - rim), inner, -1)
    if rng.random() < 0.5:
        middle = (x + wide // 2, y + tall // 2)
        cv2.circle(image, middle, max(1, tall // 5), paint(rng), -1)
    else:
        cv2.line(image, (x + wide // 2, y), (x + wide // 2, y + tall), frame, rim)
        cv2.line(image, (x, y + tall // 2), (x + wide, y + tall // 2), frame, rim)


def room(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """A floor of boards, tiles or carpet, and a wall."""
    across, ahead = camera.plane()
    colour = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.15, 0.6), rng.uniform(0.4, 0.8))
    image = fill(camera, colour) * textured(rng, camera, 0.08, fine=3.0)[..., None]
    board = rng.uniform(0.15, 0.5)
    kind = rng.integers(3)
    if kind == 0:
        image[(across / board).astype(int) % 2 == 0] *= 0.9
    elif kind == 1:
        image[(np.floor(across / board) + np.floor(ahead / board)) % 2 == 0] *= 0.78
    return _indoors(rng, camera, image, wall_depth=rng.uniform(4.5, 6.5))


def table(rng: np.random.Generator, camera: Camera) -> Backdrop:
    """A table top before a wall."""
    colour = hsv(rng.uniform(0.04, 0.12), rng.uniform(0.05, 0.7), rng.uniform(0.3, 0.9))
    grain = textured(rng, camera, 0.14, fine=1.5, along=rng.choice([0.2, 5.0]))
    image = fill(camera, shade(colour, 1.0)) * grain[..., None]
    return _indoors(rng, camera, image, wall_depth=rng.uniform(4.5, 6.5) * camera.above / 1.5)
