"""Furnished rooms with the classes of NYU Depth v2: boxes, seen by casting a ray per pixel."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from sacm_mm.sample_data.canvas import Canvas, Scene
from sacm_mm.sample_data.texture import Colour, fractal, hsv, paint

FOCAL = 0.81
"""Focal length of the Kinect over the width of the picture."""

NYU_DRAWN = {
    'wall': 0,
    'floor': 1,
    'cabinet': 2,
    'bed': 3,
    'chair': 4,
    'sofa': 5,
    'table': 6,
    'door': 7,
    'window': 8,
    'bookshelf': 9,
    'picture': 10,
    'desk': 13,
    'dresser': 16,
    'ceiling': 21,
    'refrigerator': 23,
    'television': 24,
    'box': 28,
    'night stand': 31,
    'other prop': 255,
}
"""Label ids of what is drawn, among the 39 classes; "other prop" is ignored."""

Part = tuple[float, float, float, float, float, float]
"""Left, bottom, front, right, top and back of a box, as shares of the whole object."""

_SOLID: tuple[Part, ...] = ((0, 0, 0, 1, 1, 1),)
_TABLE: tuple[Part, ...] = (
    (0, 0.93, 0, 1, 1, 1),
    *((x, 0, z, x + 0.06, 0.93, z + 0.08) for x in (0.02, 0.92) for z in (0.02, 0.9)),
)
_CHAIR: tuple[Part, ...] = (
    (0, 0.42, 0, 1, 0.5, 1),
    (0, 0.5, 0.9, 1, 1, 1),
    *((x, 0, z, x + 0.1, 0.42, z + 0.1) for x in (0, 0.9) for z in (0, 0.9)),
)
_SOFA: tuple[Part, ...] = (
    (0, 0, 0, 1, 0.5, 1),
    (0, 0.5, 0.75, 1, 1, 1),
    *((x, 0.5, 0, x + 0.1, 0.75, 1) for x in (0, 0.9)),
)
_SHELF: tuple[Part, ...] = (
    (0, 0, 0.9, 1, 1, 1),
    *((x, 0, 0, x + 0.04, 1, 1) for x in (0, 0.96)),
    *((0, y, 0, 1, y + 0.03, 1) for y in (0, 0.24, 0.48, 0.72, 0.97)),
)


class _Furniture(NamedTuple):
    """Width, height and depth in metres, which vary by a fifth, and the parts it is made of."""

    size: tuple[float, float, float]
    parts: tuple[Part, ...]


_STANDING = {
    'cabinet': _Furniture((0.9, 1.9, 0.5), _SOLID),
    'bed': _Furniture((1.6, 0.55, 2.0), _SOLID),
    'chair': _Furniture((0.5, 0.95, 0.5), _CHAIR),
    'sofa': _Furniture((1.9, 0.85, 0.9), _SOFA),
    'table': _Furniture((1.3, 0.75, 0.8), _TABLE),
    'bookshelf': _Furniture((1.0, 1.8, 0.35), _SHELF),
    'desk': _Furniture((1.3, 0.74, 0.7), _TABLE),
    'dresser': _Furniture((1.1, 0.85, 0.5), _SOLID),
    'refrigerator': _Furniture((0.7, 1.75, 0.7), _SOLID),
    'box': _Furniture((0.4, 0.35, 0.4), _SOLID),
    'night stand': _Furniture((0.45, 0.55, 0.4), _SOLID),
    'other prop': _Furniture((0.25, 0.3, 0.25), _SOLID),
}
# Width, height and height above the floor, metres; they hang on the back wall.
_HANGING = {
    'door': (0.9, 2.05, 0.0),
    'window': (1.3, 1.2, 0.9),
    'picture': (0.7, 0.5, 1.4),
    'television': (1.1, 0.65, 1.1),
}


@dataclass(frozen=True)
class _Box:
    """A box between two corners (right, up, ahead), in metres; `low` is left, bottom and front."""

    low: np.ndarray
    high: np.ndarray
    label: int
    colour: Colour


def render_room(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Render a furnished room.

    Args:
        rng: Source of randomness; the same state gives the same scene.
        height: Rows, px.
        width: Columns, px.

    Returns:
        The scene; `labels` are those of `NYU_DRAWN`.
    """
    eye = np.array([0, rng.uniform(1.2, 1.6), 0])
    side = rng.uniform(1.6, 3.0, 2)
    low = np.array([-side[0], 0, -1])
    high = np.array([side[1], rng.uniform(2.4, 3.0), rng.uniform(3.0, 7.0)])
    focal = FOCAL * width
    u, v = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    pitch = rng.uniform(0.0, 0.12) * height  # the horizon lies above the middle
    rays = np.stack([u, -(v + pitch), np.full_like(u, focal)], axis=2) / focal
    rays[rays == 0] = 1e-9
    image, labels, depth = _shell(rng, rays, eye, low, high)
    for box in (*_hanging(rng, low, high), *_standing(rng, low, high)):
        _add(image, labels, depth, rays, eye, box)
    image *= 1 + 0.05 * fractal(rng, height, width, max(4, width / 24), octaves=4)[..., None]
    canvas = Canvas(image, labels, depth)
    return Scene(canvas.develop(rng), canvas.labels, canvas.depth)


def _cross(rays: np.ndarray, eye: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Depths at which rays (H, W, 3) cross the planes of a box -> (2, H, W, 3), ascending."""
    return np.sort(np.stack([(low - eye) / rays, (high - eye) / rays]), axis=0)


def _shell(
    rng: np.random.Generator, rays: np.ndarray, eye: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint floor, ceiling and walls -> image, labels, depth."""
    leave = _cross(rays, eye, low, high)[1]
    axis, depth = leave.argmin(2), leave.min(2)
    floor, ceiling = (axis == 1) & (rays[..., 1] < 0), (axis == 1) & (rays[..., 1] > 0)
    labels = np.where(floor, 1, np.where(ceiling, 21, 0)).astype(np.uint8)
    wall = np.array(hsv(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.6, 0.95)))
    image = np.where((axis == 0)[..., None], 0.85 * wall, wall)
    image[ceiling] = hsv(0.1, 0.05, 0.95)
    at = eye + rays * depth[..., None]  # where each ray ends
    board = rng.uniform(0.12, 0.5)
    wood = np.array(hsv(rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.35, 0.8)))
    rows = np.floor(at[..., 0] / board) % 2 + np.floor(at[..., 2] / (3 * board)) % 2
    image[floor] = (wood * (1 - 0.08 * rows[..., None]))[floor]
    image[(axis != 1) & (at[..., 1] < 0.1)] *= 0.7  # skirting board
    image *= (1.1 - 0.05 * depth)[..., None]
    return image.astype(np.float32), labels, depth.astype(np.float32)


def _add(
    image: np.ndarray,
    labels: np.ndarray,
    depth: np.ndarray,
    rays: np.ndarray,
    eye: np.ndarray,
    box: _Box,
) -> None:
    """Paint a box where it is nearer than what is there; works in place."""
    corners = np.array(list(product(*zip(box.low - eye, box.high - eye))))
    shown = corners[:, :2] / corners[:, 2:]  # the rays to them, of which rows run downwards
    columns = slice(*np.searchsorted(rays[0, :, 0], [shown[:, 0].min(), shown[:, 0].max()]))
    rows = slice(*np.searchsorted(-rays[:, 0, 1], [-shown[:, 1].max(), -shown[:, 1].min()]))
    rays, image, labels, depth = (field[rows, columns] for field in (rays, image, labels, depth))
    enter, leave = _cross(rays, eye, box.low, box.high)
    axis, near = enter.argmax(2), enter.max(2)
    seen = (near < leave.min(2)) & (near > 0.3) & (near < depth)
    light = np.array([0.75, 1.1, 0.95])[axis] * (1.1 - 0.05 * near)
    image[seen] = (np.array(box.colour) * light[..., None])[seen]
    labels[seen] = box.label
    depth[seen] = near[seen]


def _hanging(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Iterator[_Box]:
    """Choose what hangs on the back wall, one beside another."""
    left = low[0] + rng.uniform(0.1, 0.8)
    for name in rng.permutation(list(_HANGING)):
        wide, tall, up = _HANGING[str(name)]
        if left + wide > high[0]:
            return
        corner = np.array([left, up, high[2] - 0.04])
        size = np.array([wide, min(tall, high[1] - up - 0.1), 0.04])
        colour = (24.0, 26.0, 30.0) if name == 'television' else paint(rng)
        yield _Box(corner, corner + size, NYU_DRAWN[str(name)], colour)
        left += wide + rng.uniform(0.2, 1.0)


def _standing(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Iterator[_Box]:
    """Choose furniture that does not overlap and leaves the camera free."""
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    for name in rng.choice(list(_STANDING), int(rng.integers(4, 9))):
        furniture = _STANDING[str(name)]
        size = np.array(furniture.size) * rng.uniform(0.8, 1.2, 3)
        room = high - low - size
        for _ in range(6):
            corner = np.array([low[0] + room[0] * rng.random(), 0, rng.uniform(1.3, high[2])])
            corner[2] = min(corner[2], high[2] - size[2])
            end = corner + size
            if corner[2] < 1.2 or any(_overlap(corner, end, *other) for other in taken):
                continue
            taken.append((corner, end))
            colour = paint(rng)
            for part in np.array(furniture.parts):
                label = NYU_DRAWN[str(name)]
                yield _Box(corner + part[:3] * size, corner + part[3:] * size, label, colour)
            break


def _overlap(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Tell whether the floor areas a..b and c..d overlap."""
    return all(a[i] < d[i] and c[i] < b[i] for i in (0, 2))
