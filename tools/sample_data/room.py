"""Furnished rooms with classes of NYU Depth v2: boxes, seen by casting a ray per pixel."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from sample_data.canvas import Canvas, Scene
from sample_data.pen import fractal, hsv, paint

NYU_DRAWN = {
    'wall': 0, 'floor': 1, 'cabinet': 2, 'bed': 3, 'chair': 4, 'sofa': 5, 'table': 6, 'door': 7,
    'window': 8, 'bookshelf': 9, 'picture': 10, 'ceiling': 21, 'television': 24, 'box': 28,
    'other prop': 255,
}  # fmt: skip
"""Label ids of what is drawn, among the 39 classes; "other prop" is ignored."""

# Parts of furniture: left, bottom, front, right, top and back of boxes, as shares of the whole.
_SOLID = ((0, 0, 0, 1, 1, 1),)
_LEGS = [(x, 0, z, x + 0.08, 0.93, z + 0.08) for x in (0.02, 0.9) for z in (0.02, 0.9)]
_TABLE = ((0, 0.93, 0, 1, 1, 1), *_LEGS)
_CHAIR = (
    (0, 0.42, 0, 1, 0.5, 1),
    (0, 0.5, 0.9, 1, 1, 1),
    *((*leg[:4], 0.42, leg[5]) for leg in _LEGS),
)
_ARMS = [(x, 0.5, 0, x + 0.1, 0.75, 1) for x in (0, 0.9)]
_SOFA = ((0, 0, 0, 1, 0.5, 1), (0, 0.5, 0.75, 1, 1, 1), *_ARMS)
_BOARDS = [(0, y, 0, 1, y + 0.03, 1) for y in (0, 0.24, 0.48, 0.72, 0.97)]
_SHELF = ((0, 0, 0.9, 1, 1, 1), (0, 0, 0, 0.04, 1, 1), (0.96, 0, 0, 1, 1, 1), *_BOARDS)
_STANDING = {  # width, height and depth in metres, which vary by a fifth, and the parts
    'cabinet': ((0.9, 1.9, 0.5), _SOLID), 'bed': ((1.6, 0.55, 2.0), _SOLID),
    'chair': ((0.5, 0.95, 0.5), _CHAIR), 'sofa': ((1.9, 0.85, 0.9), _SOFA),
    'table': ((1.3, 0.75, 0.8), _TABLE), 'bookshelf': ((1.0, 1.8, 0.35), _SHELF),
    'box': ((0.4, 0.35, 0.4), _SOLID), 'other prop': ((0.25, 0.3, 0.25), _SOLID),
}  # fmt: skip
_HANGING = {  # on the back wall: width, height and height above the floor, metres
    'door': (0.9, 2.05, 0.0), 'window': (1.3, 1.2, 0.9), 'picture': (0.7, 0.5, 1.4),
    'television': (1.1, 0.65, 1.1),
}  # fmt: skip
_Box = tuple[str, np.ndarray, np.ndarray, np.ndarray]  # name, two corners (x, y, z), colour


def render_room(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Render a furnished room; `labels` are those of `NYU_DRAWN`."""
    eye, sides = np.array([0, rng.uniform(1.2, 1.6), 0]), rng.uniform(1.6, 3.0, 2)
    low = np.array([-sides[0], 0, -1])
    high = np.array([sides[1], rng.uniform(2.4, 3.0), rng.uniform(3.0, 7.0)])
    u, v = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    v += rng.uniform(0.0, 0.12) * height  # the horizon lies above the middle
    rays = np.stack([u, -v, np.full_like(u, 0.81 * width)], axis=2) / (0.81 * width)
    rays[rays == 0] = 1e-9
    image, labels, depth = _shell(rng, rays, eye, low, high)
    for name, *corners, colour in (*_hanging(rng, low, high), *_standing(rng, low, high)):
        _add(image, labels, depth, rays, eye, NYU_DRAWN[name], *corners, colour)
    image *= 1 + 0.05 * fractal(rng, height, width, max(4, width / 24), octaves=4)[..., None]
    return Scene(Canvas(image, labels, depth).develop(rng), labels, depth)


def _add(image, labels, depth, rays, eye, label, low, high, colour) -> None:
    """Paint a box where it is nearer than what is there; works in place."""
    corners = np.array(list(product(*zip(low - eye, high - eye))))
    shown = corners[:, :2] / corners[:, 2:]  # the rays to them, of which rows run downwards
    columns = slice(*np.searchsorted(rays[0, :, 0], [shown[:, 0].min(), shown[:, 0].max()]))
    rows = slice(*np.searchsorted(-rays[:, 0, 1], [-shown[:, 1].max(), -shown[:, 1].min()]))
    image, labels, depth, rays = (field[rows, columns] for field in (image, labels, depth, rays))
    ends = np.sort(np.stack([(low - eye) / rays, (high - eye) / rays]), axis=0)
    near, axis = ends[0].max(2), ends[0].argmax(2)
    seen = (near < ends[1].min(2)) & (near > 0.3) & (near < depth)
    light = np.array([0.75, 1.1, 0.95])[axis] * (1.1 - 0.05 * near)
    image[seen] = (colour * light[..., None])[seen]
    labels[seen], depth[seen] = label, near[seen]


def _shell(
    rng: np.random.Generator, rays: np.ndarray, eye: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Paint floor, ceiling and walls -> image, labels, depth."""
    leave = np.maximum((low - eye) / rays, (high - eye) / rays)
    axis, depth = leave.argmin(2), leave.min(2)
    floor, ceiling = (axis == 1) & (rays[..., 1] < 0), (axis == 1) & (rays[..., 1] > 0)
    labels = np.where(floor, 1, np.where(ceiling, 21, 0)).astype(np.uint8)
    wall = np.array(hsv(rng.random(), rng.uniform(0, 0.3), rng.uniform(0.6, 0.95)))
    image = np.where((axis == 0)[..., None], 0.85 * wall, wall)
    image[ceiling] = hsv(0.1, 0.05, 0.95)
    at, board = eye + rays * depth[..., None], rng.uniform(0.12, 0.5)  # where each ray ends
    wood = np.array(hsv(rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.35, 0.8)))
    rows = np.floor(at[..., 0] / board) % 2 + np.floor(at[..., 2] / (3 * board)) % 2
    image[floor] = (wood * (1 - 0.08 * rows[..., None]))[floor]
    image[(axis != 1) & (at[..., 1] < 0.1)] *= 0.7  # skirting board
    image *= (1.1 - 0.05 * depth)[..., None]
    return image.astype(np.float32), labels, depth.astype(np.float32)


def _hanging(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Iterator[_Box]:
    """Choose what hangs on the back wall, one beside another."""
    left = low[0] + rng.uniform(0.1, 0.8)
    for name in map(str, rng.permutation(list(_HANGING))):
        wide, tall, up = _HANGING[name]
        if left + wide > high[0]:
            return
        corner = np.array([left, up, high[2] - 0.04])
        size = np.array([wide, min(tall, high[1] - up - 0.1), 0.04])
        yield name, corner, corner + size, np.array((25, 27, 30) if up == 1.1 else paint(rng))
        left += wide + rng.uniform(0.2, 1.0)


def _standing(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> Iterator[_Box]:
    """Choose furniture that does not overlap and leaves the camera free."""
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    for name in map(str, rng.choice(list(_STANDING), int(rng.integers(4, 9)))):
        size = np.array(_STANDING[name][0]) * rng.uniform(0.8, 1.2, 3)
        for _ in range(6):
            corner = np.array(
                [rng.uniform(low[0], high[0] - size[0]), 0, rng.uniform(1.3, high[2])]
            )
            corner[2] = min(corner[2], high[2] - size[2])
            end = corner + size
            if corner[2] >= 1.2 and not any(
                (corner < b)[[0, 2]].all() and (a < end)[[0, 2]].all() for a, b in taken
            ):
                taken.append((corner, end))
                wood = hsv(rng.uniform(0.03, 0.11), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.8))
                colour = np.array(wood if rng.random() < 0.6 else paint(rng))
                for part in np.array(_STANDING[name][1]):
                    yield name, corner + part[:3] * size, corner + part[3:] * size, colour
                break
