"""Street scenes with the classes of CamVid."""

from typing import NamedTuple

import numpy as np

from sample_data import drawings
from sample_data.canvas import FAR, FOCAL, Camera, Canvas, Scene, fill
from sample_data.pen import fractal, hsv

CAMVID_CLASSES = (
    'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'signsymbol', 'fence', 'car',
    'pedestrian', 'bicyclist',
)  # fmt: skip
_ID = {name: index for index, name in enumerate((*CAMVID_CLASSES, 'void'))}


class _Thing(NamedTuple):
    """Something on the street: its height, where it stands and what it stands on, in metres."""

    name: str
    draw: drawings.Drawing
    metres: float
    across: float
    depth: float
    lift: float = 0.0


def render_street(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Render a street seen from a car; `labels` index `CAMVID_CLASSES`, and 11 is void."""
    horizon = height * rng.uniform(0.42, 0.54)
    camera = Camera(height, width, horizon, FOCAL * min(height, width), rng.uniform(1.3, 1.7))
    half, path = rng.uniform(3.2, 4.6), rng.uniform(2.5, 5.0)
    middle = rng.uniform(-0.3, 0.3) * half  # metres right of the camera
    canvas = _ground(rng, camera, middle, half)
    sun, shear = rng.uniform(-1, 1), rng.uniform(0.3, 1.0)
    things: list[_Thing] = []
    for side in (-1, 1):
        front = middle + side * (half + path)
        _row_of_houses(rng, camera, canvas, front, 1 - 0.15 * side * sun)
        if rng.random() < 0.7:
            _fence(rng, camera, canvas, front - side * 0.4)
        things += _things(rng, middle, side, half, path)
    for thing in sorted(things, key=lambda thing: -thing.depth):
        scale = camera.focal / thing.depth
        sprite = thing.draw(rng, thing.metres * scale, sun)
        centre, ground = width / 2 + thing.across * scale, camera.foot_row(thing.depth)
        if not thing.lift:
            canvas.shadow(sprite, centre, ground, -sun * shear)
        foot = ground - thing.lift * scale
        canvas.place(sprite, _ID[thing.name], centre, foot, thing.depth)
    return Scene(canvas.develop(rng), canvas.labels, canvas.depth, tuple(canvas.objects))


def _ground(rng: np.random.Generator, camera: Camera, middle: float, half: float) -> Canvas:
    """Paint road, pavement, sky and the trees where the street ends."""
    across, ahead = camera.plane()
    off = np.abs(across - middle)
    labels = np.where(off < half, _ID['road'], _ID['pavement']).astype(np.uint8)
    grey = rng.uniform(75, 125)
    image = fill(camera, (grey, grey, grey + 4))
    marks = (off < 0.08) & (ahead % 4 < 2) | (np.abs(off - half + 0.4) < 0.06)
    image[marks & (ahead < 60)] = 215
    slab = np.array(hsv(0.09, rng.uniform(0.02, 0.2), rng.uniform(0.5, 0.72)), np.float32)
    image[labels == _ID['pavement']] = slab
    joints = (ahead % 1.0 < 0.06) | (np.abs(off % 1.0) < 0.06)
    image[(labels == _ID['pavement']) & joints & (ahead < 25)] *= 0.86
    image[np.abs(off - half) < 0.1] = slab * 1.15
    image *= camera.texture(rng, 0.09, fine=2.5)
    grown = camera.outdoors(rng, image)
    labels[np.arange(camera.rows) + 0.5 < camera.horizon] = _ID['sky']
    labels[grown] = _ID['tree']
    return Canvas(image, labels, np.repeat(ahead, camera.cols, axis=1))


def _stand(
    camera: Camera,
    canvas: Canvas,
    label: str,
    across: float,
    ahead: tuple[float, float],
    tall: float,
) -> tuple[slice, np.ndarray, np.ndarray, np.ndarray]:
    """Put an upright plane along the street into mask and depth.

    Returns:
        Its w columns, metres ahead (1, w) and above the ground (H, w), and where it is seen (H, w).
    """
    towards = (np.arange(camera.cols) + 0.5 - camera.cols / 2) * np.sign(across)
    every = camera.focal * abs(across) / np.maximum(towards, 1e-3)
    inside = np.flatnonzero((every >= ahead[0]) & (every < min(ahead[1], FAR)) & (towards > 0))
    columns = slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0)
    metres = every[None, columns].astype(np.float32)
    below = np.arange(camera.rows, dtype=np.float32)[:, None] + 0.5 - camera.horizon
    up = camera.above - below * metres / np.float32(camera.focal)
    seen = (up > 0) & (up < tall)
    canvas.labels[:, columns][seen] = _ID[label]
    canvas.depth[:, columns][seen] = np.broadcast_to(metres, seen.shape)[seen]
    return columns, metres, up, seen


def _row_of_houses(
    rng: np.random.Generator, camera: Camera, canvas: Canvas, across: float, light: float
) -> None:
    """Paint the fronts of houses with their windows, now and then with a gap."""
    rough = light * (1 + 0.06 * fractal(rng, camera.rows, camera.cols, 6, octaves=2))
    start = 2.0
    while start < FAR:
        end, tall = start + rng.uniform(7, 18), rng.uniform(5, 14)
        columns, ahead, up, seen = _stand(camera, canvas, 'building', across, (start, end), tall)
        brick = hsv(rng.uniform(0, 0.13), rng.uniform(0.1, 0.55), rng.uniform(0.4, 0.85))
        u, v = (ahead - start) % rng.uniform(2.2, 3.2), up % rng.uniform(2.8, 3.4)
        colour = np.full((*up.shape, 3), brick, np.float32)
        colour[(u > 0.6) & (u < 1.9) & (v > 0.8) & (v < 2.5)] = 215
        colour[(u > 0.75) & (u < 1.75) & (v > 0.95) & (v < 2.35)] = (62, 74, 90)
        colour[up > tall - 0.4] *= 0.7
        veil = 0.4 * ahead[..., None] / FAR
        colour = colour * rough[:, columns, None] * (1 - veil) + 204 * veil
        canvas.image[:, columns][seen] = colour[seen]
        start = end + (rng.uniform(3, 12) if rng.random() < 0.4 else 0)


def _fence(rng: np.random.Generator, camera: Camera, canvas: Canvas, across: float) -> None:
    """Paint a fence of boards along the pavement; CamVid marks the gaps between boards too."""
    start, tall = rng.uniform(3, 12), rng.uniform(1.0, 1.7)
    ends = start, start + rng.uniform(8, 30)
    columns, ahead, up, seen = _stand(camera, canvas, 'fence', across, ends, tall)
    wood = hsv(rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.5), rng.uniform(0.35, 0.8))
    tone = np.where(ahead % 0.3 < 0.2, 1.0, 0.55) * np.where(up > tall - 0.12, 1.15, 1.0)
    canvas.image[:, columns][seen] = (np.array(wood) * tone[..., None])[seen]


def _things(
    rng: np.random.Generator, middle: float, side: int, half: float, path: float
) -> list[_Thing]:
    """Choose what stands and moves on one side of the street."""

    def some(name: str, drawn: str, most: int, tall: tuple, on: tuple, depth: tuple) -> list:
        """Place up to `most`; `on` is 0 at the kerb, 1 at the houses, -1 in the middle."""
        found = []
        for _ in range(int(rng.integers(most > 2, most + 1))):
            where = rng.uniform(*on)
            across = middle + side * (half + where * (path if where > 0 else half))
            draw = getattr(drawings, drawn)
            found.append(_Thing(name, draw, rng.uniform(*tall), across, rng.uniform(*depth)))
        return found

    posts = some('pole', 'post', 2, (2.2, 2.2), (0.1, 0.3), (6, 20))
    plate = dict(name='signsymbol', draw=drawings.sign, metres=0.85, lift=2.1)
    return [
        *posts, *(post._replace(**plate) for post in posts),
        *some('tree', 'tree', 2, (5, 9), (0.8, 0.8), (11, 45)),
        *some('pole', 'lamp_post', 2, (5.5, 8), (0.1, 0.1), (7, 35)),
        *some('void', 'litter_bin', 1, (1, 1), (0.7, 0.7), (6, 20)),
        *some('pedestrian', 'person', 3, (1.5, 1.9), (-0.1, 0.6), (6, 18)),
        *some('car', 'car', 2, (1.4, 1.7), (-0.55, -0.2), (8, 32)),
        *some('bicyclist', 'bicyclist', 1, (1.6, 1.85), (-0.6, -0.1), (6, 18)),
    ]  # fmt: skip
