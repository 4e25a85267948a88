"""Masks that are drawn from shapes: polygons, rectangles, ellipses, run lengths and small masks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.labels import IGNORE_INDEX

from .categories import BACKGROUND, Wishes, place_of, refuse_many
from .class_names import Colour, spread_colours
from .orientation import drawn_as
from .run_lengths import mask_of_runs
from .samples import IGNORED_NAMES, Category, Sample, Source, count, listed

_BACKGROUND_NAMES = frozenset(('background', '_background_', '__background__', 'bg'))


@dataclass(frozen=True)
class Shape:
    """An object of a class; one of its forms is given.

    Attributes:
        label: Name of its class.
        rings: Polygons, each (N, 2), x and y in pixels.
        rle: Run lengths as COCO has them, ``{'size': [H, W], 'counts': ...}``.
        patch: A mask (h, w), bool, with its left and top.
        order: What has the larger one lies above, whatever its area.
    """

    label: str
    rings: tuple[np.ndarray, ...] = ()
    rle: Mapping[str, Any] | None = None
    patch: tuple[np.ndarray, int, int] | None = None
    order: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, 'label', self.label.strip())  # typed by hand: 'car '
        if not self.label:
            raise ValueError('its label is blank')
        if not all(np.isfinite(ring).all() for ring in self.rings):
            raise ValueError('nan or infinity among its corners')


@contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Name the entry of an annotation file whose values are not what they have to be.

    Raises:
        UserError: Whatever is raised; our own and the operating system's errors pass.
    """
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:  # a value of a wrong type fails in any way
        raise UserError(f'{what} is damaged ({one_line(error, 120)}): mend it') from error


def rectangle(x0: float, y0: float, x1: float, y1: float, degrees: float = 0) -> np.ndarray:
    """Return a rectangle as a ring of four corners, turned clockwise around its centre."""
    return _turned(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64), degrees)


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0) -> np.ndarray:
    """Return an ellipse as a ring, turned clockwise around its centre."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    return _turned(np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], 1), degrees)


def _turned(ring: np.ndarray, degrees: float) -> np.ndarray:
    if not degrees:
        return ring
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    centre = ring.mean(0)
    return (ring - centre) @ np.array([(cos, sin), (-sin, cos)]) + centre


def picture_size(height: Any, width: Any) -> tuple[int, int] | None:
    """Return (H, W) that an annotation names, None where it names none.

    Raises:
        ValueError: They are no sizes.
    """
    if not height or not width:
        return None
    size = (int(float(height)), int(float(width)))
    if min(size) < 1:
        raise ValueError(f'its picture is {width}x{height} pixels')
    return size


def check_ring(points: Any, what: str) -> np.ndarray:
    """Return the corners of a polygon as an array.

    Args:
        points: Pairs of x and y.
        what: File and object, for the message.

    Raises:
        UserError: There are fewer than three corners, or what they hold are no numbers.
    """
    try:
        ring = np.asarray(points, np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise UserError(f'{what} has corners that are no pairs of numbers: mend it') from error
    if len(ring) < 3 or not np.isfinite(ring).all():
        raise UserError(f'{what} has {len(ring)} usable corners: a polygon needs three, mend it')
    return ring


@dataclass
class DrawnMask:
    """A mask that is drawn from shapes, large ones first, so that small ones stay visible.

    Attributes:
        shapes: The objects.
        size: (H, W) of the picture for which they were drawn; None takes the picture's.
        numbers: The class of each label, 255 for what is ignored; filled when all are known.
        empty: The class of what no shape covers.
        source: The file that holds them, for messages.
        relative: Corners are shares of the picture's width and height.
    """

    shapes: Sequence[Shape]
    size: tuple[int, int] | None
    source: str
    numbers: dict[str, int] = field(default_factory=dict)
    empty: int = 0
    relative: bool = False

    def __str__(self) -> str:
        return f"what '{self.source}' describes"

    @property
    def tells_size(self) -> bool:
        return self.size is not None

    def draw(self, picture: Path, size: tuple[int, int]) -> np.ndarray:
        """Draw it as classes (H, W), uint8.

        Raises:
            UserError: The picture has another size than the one for which it was drawn, or a shape
                does not fit it.
        """
        own = self.size or size
        drawn_as(own, picture, size, str(self))  # before memory is taken
        mask = np.full(own, self.empty, np.uint8)
        shapes = self.shapes
        if self.relative:
            scale = np.array(own[::-1], np.float64)
            shapes = [replace(s, rings=tuple(ring * scale for ring in s.rings)) for s in shapes]
        what = f"a shape of '{picture}' in '{self.source}'"
        with damage_named(what):
            regions = [(shape, _region(shape, own)) for shape in shapes]
        areas = [int(np.count_nonzero(region)) for _, region in regions]
        order = sorted(range(len(regions)), key=lambda i: (regions[i][0].order, -areas[i]))
        for i in order:
            shape, region = regions[i]
            mask[region] = self.numbers[shape.label]
        return mask


def _region(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a shape (H, W), bool."""
    if shape.rle is not None:
        height, width = shape.rle['size']
        if (height, width) != size:
            raise ValueError(
                f'its run lengths are of {width}x{height}, its picture of {size[1]}x{size[0]}'
            )
        return mask_of_runs(shape.rle['counts'], size)
    if shape.patch is not None:
        canvas = np.zeros(size, bool)
        patch, left, top = shape.patch
        part = patch[max(-top, 0) : max(size[0] - top, 0), max(-left, 0) : max(size[1] - left, 0)]
        top, left = max(top, 0), max(left, 0)
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        return canvas
    most = np.array(size[::-1])
    for ring in shape.rings:
        far = ((ring < -most) | (ring > 2 * most)).any(1)
        if far.any():  # they would take memory without end
            x, y = ring[far][0]
            raise ValueError(f'a corner at ({x:g}, {y:g}) is far outside of {most[0]}x{most[1]}')
    rings = coco_mask.frPyObjects([ring.ravel().tolist() for ring in shape.rings], *size)
    return coco_mask.decode(coco_mask.merge(rings)).astype(bool)


def finish_shapes(
    samples: list[Sample], labels: Sequence[str], wishes: Wishes, notes: list[str],
    colours: Mapping[str, Colour] | None = None,
) -> Source:  # fmt: skip
    """Decide the classes of drawn masks and tell them to the masks.

    Args:
        samples: With a ``DrawnMask`` each.
        labels: Names of classes in the order that the source has; those in use are added.
        wishes: What the user wants.
        notes: What the reader found.
        colours: Colours that the source has.

    Raises:
        UserError: There are no shapes at all, or a label is not among the named classes.
    """
    masks = [sample.mask for sample in samples if isinstance(sample.mask, DrawnMask)]
    used = Counter(shape.label for mask in masks for shape in mask.shapes)
    if not used:
        raise UserError(
            f'no polygons in {listed(list(dict.fromkeys(m.source for m in masks)), 2)}: there is '
            'nothing to learn; if there are boxes, --boxes takes them for areas'
        )
    labels = [label.strip() for label in labels]
    order = [name for name, _ in wishes.named] or [*labels, *sorted(set(used) - set(labels))]
    ignored = {name.lower() for name in wishes.ignored}
    unknown = ignored - {name.lower() for name in (*order, *used)}
    if unknown:
        raise UserError(
            f"--ignore '{sorted(unknown)[0]}' is no class: there are {listed(order, 8)}"
        )
    left_out = ignored | IGNORED_NAMES
    missing = [label for label in used if label not in order and label.lower() not in left_out]
    if missing:
        raise UserError(
            f"class '{missing[0]}' is in use ({used[missing[0]]} times), but not in --classes: "
            'name it, or leave it out with --ignore'
        )
    classes = list(wishes.earlier)
    names = [n for n in order if n.lower() not in left_out | _BACKGROUND_NAMES]
    if wishes.unlabelled == BACKGROUND or {n.lower() for n in used} & _BACKGROUND_NAMES:
        names = [BACKGROUND, *names]
    given = {**(colours or {}), **{n: c for n, c in wishes.named if c}}
    spread = spread_colours(len(names) + 1)
    for place, name in enumerate(names):
        colour = given.get(name) or spread[place if names[0] == BACKGROUND else place + 1]
        place_of(Category(name, colour, name), classes)
    refuse_many(classes)
    if len(classes) < 2:
        raise UserError(
            f"'{classes[0].name}' is the only class: there is nothing to tell apart"
            if classes
            else 'no class is left: --ignore takes all of them'
        )
    numbers = {c.code: i for i, c in enumerate(classes)}
    for label in used:
        key = BACKGROUND if label.lower() in _BACKGROUND_NAMES else label
        numbers[label] = IGNORE_INDEX if label.lower() in left_out else numbers[key]
    for mask in masks:
        mask.numbers = numbers
        mask.empty = numbers[BACKGROUND] if wishes.unlabelled == BACKGROUND else IGNORE_INDEX
    bare = [sample.name for sample, mask in zip(samples, masks) if not mask.shapes]
    warnings = []
    if bare:
        what = 'background alone' if wishes.unlabelled == BACKGROUND else 'nothing to learn from'
        warnings.append(
            f'{count(len(bare), "picture has", "pictures have")} no shapes and '
            f'{"is" if len(bare) == 1 else "are"} {what}: {listed(bare)}'
        )
    notes = [f'{count(sum(used.values()), "shape")} of {count(len(used), "class", "classes")}',
             *notes]  # fmt: skip
    return Source('segmentation', samples, classes, notes, warnings)
