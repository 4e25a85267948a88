"""Scenes with PASCAL VOC classes."""

from typing import NamedTuple

import numpy as np

from sample_data import drawings
from sample_data.canvas import FOCAL, Camera, Canvas, Scene, fill
from sample_data.pen import hsv


class Kind(NamedTuple):
    """What can be drawn: VOC's class id, how, real height in metres, width over height."""

    label: int
    draw: drawings.Drawing
    metres: tuple[float, float]
    wide: float


VOC_OBJECTS = {
    'car': Kind(7, drawings.car, (1.4, 1.6), 1.4),
    'person': Kind(15, drawings.person, (1.5, 1.9), 0.78),
    'pottedplant': Kind(16, drawings.pottedplant, (0.9, 1.3), 1.0),
    'sheep': Kind(17, drawings.sheep, (0.9, 1.2), 1.75),
}


def render_scene(
    rng: np.random.Generator, height: int, width: int, lead: str | None = None, most: int = 4
) -> Scene:
    """Render a picture with one to four objects; `labels` hold VOC's class ids, 0 is background.

    Args:
        rng: Source of randomness; the same state gives the same scene.
        height: Rows, px.
        width: Columns, px.
        lead: Name of the class the picture must show; drawn by chance when left out.
        most: Upper limit of the number of objects; 1 gives one large object.
    """
    names = [str(name) for name in rng.choice(list(VOC_OBJECTS), int(rng.integers(1, most + 1)))]
    names[0] = lead or names[0]
    horizon, above = height * rng.uniform(0.2, 0.42), rng.uniform(1.2, 2.2)
    camera = Camera(height, width, horizon, FOCAL * min(height, width), above)
    image = _ground(rng, camera)
    camera.outdoors(rng, image)
    depths = np.repeat(camera.plane()[1], width, axis=1)
    canvas = Canvas(image, np.zeros((height, width), np.uint8), depths)
    sun, shear = rng.uniform(-1, 1), rng.uniform(0.3, 1.2)
    columns = rng.permutation(np.linspace(0.1, 0.9, len(names)))
    items = []
    for name, column in zip(names, columns if len(names) > 1 else rng.random(1)):
        kind = VOC_OBJECTS[name]
        metres = rng.uniform(*kind.metres)
        wanted = (
            min(height, width, 1.2 * width / kind.wide) * rng.uniform(0.4, 0.75) / len(names) ** 0.3
        )
        foot = min(horizon + wanted * above / metres, 0.985 * height)
        tall = metres * (foot - horizon) / above
        centre = width / 2 + (column - 0.5) * max(0.0, width - 0.9 * tall * kind.wide)
        items.append((camera.focal * above / (foot - horizon), kind, tall, centre, foot))
    for depth, kind, tall, centre, foot in sorted(items, key=lambda item: -item[0]):
        sprite = kind.draw(rng, tall, sun)
        canvas.shadow(sprite, centre, foot, -sun * shear)
        canvas.place(sprite, kind.label, centre, foot, depth)
    return Scene(canvas.develop(rng), canvas.labels, canvas.depth, tuple(canvas.objects))


def _ground(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Paint grass, dry grass, sand or a road -> image (H, W, 3)."""
    across, ahead = camera.plane()
    tints = ((0.25, 0.55, 0.5), (0.14, 0.4, 0.7), (0.1, 0.3, 0.8))
    image = fill(camera, hsv(*tints[rng.integers(3)])) * rng.uniform(0.8, 1.1)
    image *= camera.texture(rng, 0.2, fine=3.0) * camera.texture(rng, 0.1, fine=0.4)
    if rng.random() < 0.4:
        off = np.abs(across + rng.uniform(-0.15, 0.15) * ahead + rng.uniform(-1.5, 1.5))
        half, grey = rng.uniform(3.5, 6), rng.uniform(85, 140)
        rough = (grey * camera.texture(rng, 0.13, fine=2.5)).repeat(3, axis=2)
        image[off < half] = rough[off < half]
        image[((off < 0.1) & (ahead % 5 < 2.5) | (np.abs(off - half) < 0.12)) & (ahead < 50)] = 222
    return image
