"""Street scenes with the classes of CamVid."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sacm_mm.sample_data import living, roadside, vehicles
from sacm_mm.sample_data.backdrops import FAR, FOCAL, Camera, fill, haze, sky, skyline, textured
from sacm_mm.sample_data.canvas import Canvas, Scene
from sacm_mm.sample_data.pen import Drawing
from sacm_mm.sample_data.texture import fractal, hsv, mix

CAMVID_CLASSES = (
    'sky',
    'building',
    'pole',
    'road',
    'pavement',
    'tree',
    'signsymbol',
    'fence',
    'car',
    'pedestrian',
    'bicyclist',
)
"""In the order of the label ids; 11 is void."""

_ID = {name: index for index, name in enumerate((*CAMVID_CLASSES, 'void'))}


@dataclass(frozen=True)
class _Thing:
    """Something on the street: drawn height, where it stands and what it stands on, in metres."""

    name: str
    draw: Drawing
    metres: float
    across: float
    depth: float
    lift: float = 0.0


@dataclass(frozen=True)
class _Street:
    """Positions across the street, metres right of the camera."""

    middle: float
    half_road: float
    pavement: float

    def kerb(self, side: int) -> float:
        """Edge of the road on the left (-1) or right (1)."""
        return self.middle + side * self.half_road

    def front(self, side: int) -> float:
        """Line of the house fronts on one side."""
        return self.middle + side * (self.half_road + self.pavement)


def render_street(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Render a street seen from a car.

    Args:
        rng: Source of randomness; the same state gives the same scene.
        height: Rows, px.
        width: Columns, px.

    Returns:
        The scene; `labels` index `CAMVID_CLASSES`, and 11 is void.
    """
    horizon = height * rng.uniform(0.42, 0.54)
    camera = Camera(height, width, horizon, FOCAL * min(height, width), rng.uniform(1.3, 1.7))
    half = rng.uniform(3.2, 4.6)
    street = _Street(rng.uniform(-0.3, 0.3) * half, half, rng.uniform(2.5, 5.0))
    canvas = _ground(rng, camera, street)
    sun = rng.uniform(-1, 1)
    for side in (-1, 1):
        _houses(rng, camera, canvas, street.front(side), 1 + 0.15 * side * -sun)
        if rng.random() < 0.7:
            _fence(rng, camera, canvas, street.front(side) - side * 0.4)
    shear, strength = -sun * rng.uniform(0.3, 1.0), rng.uniform(0.2, 0.5)
    for thing in sorted(_things(rng, street), key=lambda thing: -thing.depth):
        scale = camera.focal / thing.depth
        sprite = thing.draw(rng, thing.metres * scale, sun)
        centre = width / 2 + thing.across * scale
        ground = camera.foot_row(thing.depth)
        if not thing.lift:
            canvas.shadow(sprite, centre, ground, shear, strength)
        foot = ground - thing.lift * scale
        canvas.place(sprite, _ID[thing.name], centre, foot, thing.depth)
    return Scene(canvas.develop(rng), canvas.labels, canvas.depth, tuple(canvas.objects))


def _ground(rng: np.random.Generator, camera: Camera, street: _Street) -> Canvas:
    """Paint road, pavement, sky and the trees where the street ends."""
    across, ahead = camera.plane()
    off = np.abs(across - street.middle)
    labels = np.where(off < street.half_road, _ID['road'], _ID['pavement']).astype(np.uint8)
    grey = rng.uniform(75, 125)
    image = fill(camera, (grey, grey, grey + 4))
    marks = (off < 0.08) & (ahead % 4 < 2) | (np.abs(off - street.half_road + 0.4) < 0.06)
    image[marks & (ahead < 60)] = 215
    slab = np.array(hsv(0.09, rng.uniform(0.02, 0.2), rng.uniform(0.5, 0.72)), np.float32)
    image[labels == _ID['pavement']] = slab
    joints = (ahead % 1.0 < 0.06) | (np.abs(off % 1.0) < 0.06)
    image[(labels == _ID['pavement']) & joints & (ahead < 25)] *= 0.86
    image[np.abs(off - street.half_road) < 0.1] = slab * 1.15
    image *= textured(rng, camera, 0.09, fine=2.5)[..., None]
    haze(image, ahead, (200, 206, 212), 0.4)
    above = np.arange(camera.rows) + 0.5 < camera.horizon
    image[above] = sky(rng, camera)[above]
    labels[above] = _ID['sky']
    plain = image.copy()
    green = mix(hsv(rng.uniform(0.2, 0.38), 0.4, 0.4), (200, 206, 212), 0.3)
    skyline(rng, camera, image, green, rng.uniform(0.06, 0.14) * camera.rows)
    labels[(image != plain).any(axis=2) & above[:, None]] = _ID['tree']
    image[~above] = plain[~above]
    return Canvas(image, labels, np.repeat(ahead, camera.cols, axis=1))


class _Front(NamedTuple):
    """A piece of an upright plane along the street, as far as the picture shows it.

    Attributes:
        columns: The w picture columns it covers.
        ahead: (1, w) metres ahead.
        up: (H, w) metres above the ground.
        seen: (H, w), where the plane is between the ground and its top.
    """

    columns: slice
    ahead: np.ndarray
    up: np.ndarray
    seen: np.ndarray


def _front(camera: Camera, across: float, start: float, end: float, tall: float) -> _Front:
    """Project the plane `across` metres from the camera from `start` to `end` metres ahead."""
    side = np.sign(across)
    towards = (np.arange(camera.cols, dtype=np.float32) + 0.5 - camera.cols / 2) * side
    every = camera.focal * abs(across) / np.maximum(towards, 1e-3)
    inside = np.flatnonzero((every >= start) & (every < min(end, FAR)) & (towards > 0))
    columns = slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0)
    ahead = every[None, columns].astype(np.float32)
    rows = np.arange(camera.rows, dtype=np.float32)[:, None] + 0.5 - camera.horizon
    up = np.float32(camera.above) - rows * (ahead / np.float32(camera.focal))
    return _Front(columns, ahead, up.astype(np.float32), (up > 0) & (up < tall))


def _paint_front(canvas: Canvas, front: _Front, colour: np.ndarray, label: str) -> None:
    """Put a front of colour (H, w, 3) on the canvas."""
    seen = front.seen
    canvas.image[:, front.columns][seen] = colour[seen]
    canvas.labels[:, front.columns][seen] = _ID[label]
    canvas.depth[:, front.columns][seen] = np.broadcast_to(front.ahead, seen.shape)[seen]


def _houses(
    rng: np.random.Generator, camera: Camera, canvas: Canvas, across: float, light: float
) -> None:
    """Paint a row of house fronts, now and then with a gap."""
    rough = light * (1 + 0.06 * fractal(rng, camera.rows, camera.cols, 6, octaves=2))
    start = 2.0
    while start < FAR:
        end, tall = start + rng.uniform(7, 18), rng.uniform(5, 14)
        front = _front(camera, across, start, end, tall)
        brick = hsv(rng.uniform(0.0, 0.13), rng.uniform(0.1, 0.55), rng.uniform(0.4, 0.85))
        u = (front.ahead - start) % rng.uniform(2.2, 3.2)
        v = front.up % rng.uniform(2.8, 3.4)
        colour = np.empty((*front.seen.shape, 3), np.float32)
        colour[:] = brick
        colour[(u > 0.6) & (u < 1.9) & (v > 0.8) & (v < 2.5)] = mix(brick, (245, 245, 240), 0.6)
        colour[(u > 0.75) & (u < 1.75) & (v > 0.95) & (v < 2.35)] = (62, 74, 90)
        colour[front.up > tall - 0.4] *= 0.7
        veil = 0.4 * front.ahead[..., None] / np.float32(FAR)
        colour = colour * rough[:, front.columns, None] * (1 - veil) + 204 * veil
        _paint_front(canvas, front, colour, 'building')
        start = end + (rng.uniform(3, 12) if rng.random() < 0.4 else 0)


def _fence(rng: np.random.Generator, camera: Camera, canvas: Canvas, across: float) -> None:
    """Paint a fence of boards along the pavement; CamVid marks the gaps between boards too."""
    start, tall = rng.uniform(3, 12), rng.uniform(1.0, 1.7)
    front = _front(camera, across, start, start + rng.uniform(8, 30), tall)
    wood = hsv(rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.5), rng.uniform(0.35, 0.8))
    tone = np.where(front.ahead % 0.3 < 0.2, 1.0, 0.55)
    tone = tone * np.where(front.up > tall - 0.12, 1.15, 1.0)
    _paint_front(canvas, front, np.array(wood) * tone[..., None], 'fence')


def _things(rng: np.random.Generator, street: _Street) -> list[_Thing]:
    """Choose what stands and moves on the street."""
    things = [*_standing(rng, street, -1), *_standing(rng, street, 1)]
    for side in (-1, 1):
        kerb, path = street.kerb(side), side * street.pavement
        for _ in range(rng.integers(1, 4)):
            where = kerb + rng.uniform(-0.35, 0.6) * path
            tall = rng.uniform(1.5, 1.9)
            things.append(_Thing('pedestrian', living.person, tall, where, rng.uniform(6, 18)))
        for _ in range(rng.integers(0, 3)):
            lane = street.middle + side * rng.uniform(0.45, 0.8) * street.half_road
            tall, depth = rng.uniform(1.4, 1.7), rng.uniform(8, 32)
            things.append(_Thing('car', vehicles.car_end_on, tall, lane, depth))
        if rng.random() < 0.55:
            lane = street.middle + side * rng.uniform(0.3, 0.9) * street.half_road
            tall, depth = rng.uniform(1.6, 1.85), rng.uniform(6, 18)
            things.append(_Thing('bicyclist', living.bicyclist, tall, lane, depth))
    if rng.random() < 0.3:
        where, depth = rng.uniform(-6, 6), rng.uniform(14, 30)
        things.append(_Thing('car', vehicles.car, 1.5, where, depth))
    return things


def _standing(rng: np.random.Generator, street: _Street, side: int) -> list[_Thing]:
    """Choose what stands on the pavement of one side."""
    kerb, path = street.kerb(side), side * street.pavement
    things = []
    for _ in range(rng.integers(0, 3)):
        tall, depth = rng.uniform(5, 9), rng.uniform(11, 45)
        things.append(_Thing('tree', roadside.tree, tall, kerb + 0.8 * path, depth))
    for _ in range(rng.integers(1, 3)):
        tall, depth = rng.uniform(5.5, 8), rng.uniform(7, 35)
        things.append(_Thing('pole', roadside.lamp_post, tall, kerb + 0.1 * path, depth))
    for _ in range(rng.integers(0, 3)):
        where, depth = kerb + rng.uniform(0.1, 0.3) * path, rng.uniform(6, 20)
        plate = rng.uniform(0.7, 1.0)
        things.append(_Thing('pole', roadside.post, 2.2, where, depth))
        things.append(_Thing('signsymbol', roadside.sign, plate, where, depth, lift=2.1))
    if rng.random() < 0.5:
        depth = rng.uniform(6, 20)
        things.append(_Thing('void', roadside.litter_bin, 1.0, kerb + 0.7 * path, depth))
    return things
