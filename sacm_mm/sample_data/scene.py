"""Scenes with PASCAL VOC classes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sacm_mm.sample_data import backdrops, household, living, vehicles
from sacm_mm.sample_data.backdrops import FAR, FOCAL, Backdrop, Camera
from sacm_mm.sample_data.canvas import Canvas, Scene
from sacm_mm.sample_data.pen import Drawing

__all__ = ['VOC_OBJECTS', 'Scene', 'render_scene']


@dataclass(frozen=True)
class Kind:
    """What can be drawn.

    Attributes:
        label: PASCAL VOC class id.
        draw: The drawing.
        metres: Least and most real height.
        widest: Greatest width over height.
    """

    label: int
    draw: Drawing
    metres: tuple[float, float]
    widest: float


VOC_OBJECTS = {
    'aeroplane': Kind(1, vehicles.aeroplane, (5.0, 8.0), 3.3),
    'boat': Kind(4, vehicles.boat, (2.6, 4.5), 2.0),
    'bottle': Kind(5, household.bottle, (0.26, 0.36), 0.46),
    'car': Kind(7, vehicles.car, (1.4, 1.6), 3.1),
    'person': Kind(15, living.person, (1.5, 1.9), 0.78),
    'pottedplant': Kind(16, household.pottedplant, (0.35, 0.5), 1.0),
    'sheep': Kind(17, living.sheep, (0.9, 1.2), 1.75),
    'tvmonitor': Kind(20, household.tvmonitor, (0.4, 0.5), 1.6),
}


@dataclass(frozen=True)
class Place:
    """A kind of backdrop: how it is painted, camera height in metres, and what is found there.

    A class named twice among the `kinds` is found twice as often.
    """

    paint: Callable[[np.random.Generator, Camera], Backdrop]
    above: tuple[float, float]
    kinds: tuple[str, ...]
    enlarge: float = 1.0  # a plant in a room is larger than one on a table
    indoors: bool = False


_PLACES = (
    Place(backdrops.field, (1.3, 2.0), ('sheep', 'sheep', 'person', 'car', 'car', 'aeroplane')),
    Place(backdrops.field, (1.2, 1.7), ('sheep', 'sheep', 'person')),
    Place(backdrops.road, (1.3, 2.0), ('car', 'car', 'car', 'person', 'aeroplane')),
    Place(backdrops.sea, (2.0, 3.5), ('boat', 'boat', 'boat', 'boat', 'aeroplane')),
    Place(backdrops.room, (1.3, 1.7), ('person', 'pottedplant', 'tvmonitor'), 2.4, True),
    Place(
        backdrops.table, (0.35, 0.5), ('bottle', 'bottle', 'pottedplant', 'tvmonitor'), 1.0, True
    ),
    Place(backdrops.field, (0.35, 0.5), ('bottle', 'bottle', 'pottedplant')),
)


def render_scene(
    rng: np.random.Generator,
    height: int,
    width: int,
    lead: str | None = None,
    most: int = 4,
) -> Scene:
    """Render a picture with one to four objects of the PASCAL VOC classes in `VOC_OBJECTS`.

    Args:
        rng: Source of randomness; the same state gives the same scene.
        height: Rows, px.
        width: Columns, px.
        lead: Name of the class the picture must show; drawn by chance when left out.
        most: Upper limit of the number of objects; 1 gives one large object.

    Returns:
        The scene; `labels` hold PASCAL VOC class ids, 0 is background.
    """
    lead = lead or str(rng.choice(list(VOC_OBJECTS)))
    place = rng.choice([place for place in _PLACES if lead in place.kinds])  # type: ignore[arg-type]
    small = min(height, width)
    low = lead == 'aeroplane'  # leaves room in the sky
    horizon = height * (rng.uniform(0.55, 0.75) if low else rng.uniform(0.2, 0.42))
    camera = Camera(height, width, horizon, FOCAL * small, rng.uniform(*place.above))
    backdrop = place.paint(rng, camera)
    canvas = Canvas(backdrop.image, np.zeros((height, width), np.uint8), backdrop.depth)
    extra = [str(name) for name in rng.choice(place.kinds, int(rng.integers(0, most)))]
    extra = [name for name in extra if name != 'aeroplane'] + ['aeroplane'] * ('aeroplane' in extra)
    planned = _plan(rng, camera, place, [lead, *extra], nearest=most == 1)
    sun = rng.uniform(-1, 1)
    shear, strength = -sun * rng.uniform(0.3, 1.2), rng.uniform(0.25, 0.55)
    for item in sorted(planned, key=lambda item: -item.depth):
        kind = VOC_OBJECTS[item.name]
        sprite = kind.draw(rng, item.height, sun)
        if place.paint is backdrops.sea and item.name == 'boat':
            canvas.reflect(sprite, item.centre, item.foot, 0.6)
        elif item.name != 'aeroplane':
            canvas.shadow(sprite, item.centre, item.foot, shear, strength)
        canvas.place(sprite, kind.label, item.centre, item.foot, item.depth)
    return Scene(canvas.develop(rng), canvas.labels, canvas.depth, tuple(canvas.objects))


@dataclass(frozen=True)
class _Item:
    """One planned object; all but the depth (metres) in px."""

    name: str
    height: float
    width: float
    centre: float
    foot: float
    depth: float


def _plan(
    rng: np.random.Generator, camera: Camera, place: Place, names: list[str], nearest: bool
) -> list[_Item]:
    """Choose where objects stand so that none hides another; what does not fit is left out."""
    planned: list[_Item] = []
    for name in names:
        for _ in range(8):
            item = _stand(rng, camera, place, name, large=nearest or not planned)
            if all(_overlap(item, other) < 0.35 for other in planned):
                planned.append(item)
                break
    return planned


def _stand(rng: np.random.Generator, camera: Camera, place: Place, name: str, large: bool) -> _Item:
    """Choose size and position of one object; its size follows from where it stands."""
    kind = VOC_OBJECTS[name]
    small = min(camera.rows, camera.cols)
    wanted = small * (rng.uniform(0.42, 0.72) if large else rng.uniform(0.2, 0.5))
    wanted = min(wanted, 0.72 * camera.cols / kind.widest)
    if name == 'aeroplane':
        tall = 0.75 * wanted
        foot = rng.uniform(min(1.5 * tall, camera.horizon * 0.8), camera.horizon * 0.95)
        metres = rng.uniform(*kind.metres)
        depth = float(np.clip(camera.focal * metres / tall, 25, 0.95 * FAR))
    else:
        metres = rng.uniform(*kind.metres) * (place.enlarge if name != 'person' else 1)
        # The wall stands at three and more camera heights away: nothing may stand behind it.
        highest = camera.horizon + camera.focal * (0.36 if place.indoors else 0.1)
        foot = camera.horizon + wanted * camera.above / metres
        foot = float(np.clip(foot, highest, 0.985 * camera.rows))
        tall = metres * (foot - camera.horizon) / camera.above
        depth = camera.depth_at(foot)
    wide = tall * kind.widest
    margin = min(0.45 * wide, 0.5 * camera.cols)
    centre = rng.uniform(margin, camera.cols - margin)
    return _Item(name, tall, wide, centre, foot, depth)


def _overlap(a: _Item, b: _Item) -> float:
    """Share of the smaller object's box that lies in the other's box, 0..1."""
    across = min(a.centre + a.width / 2, b.centre + b.width / 2) - max(
        a.centre - a.width / 2, b.centre - b.width / 2
    )
    down = min(a.foot, b.foot) - max(a.foot - a.height, b.foot - b.height)
    area = min(a.width * a.height, b.width * b.height)
    return max(across, 0.0) * max(down, 0.0) / area
