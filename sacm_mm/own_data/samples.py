"""What every kind of source is brought to: samples with their truth, and the classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.dataset_file import Category

MAX_CLASSES = 255
SPLITS = ('train', 'val', 'test')
_SPLIT_NAMES = {
    'train': 'train', 'training': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val',
    'dev': 'val', 'test': 'test', 'testing': 'test',
}  # fmt: skip
# names that people give to what is not to be learned
IGNORED_NAMES = frozenset(
    ('__ignore__', 'ignore', 'ignored', 'void', 'unlabeled', 'unlabelled', "don't care", 'dontcare')
)


class Mask(Protocol):
    """The truth of a picture, of whatever form: drawn when the data set is written."""

    @property
    def tells_size(self) -> bool:
        """Whether its size is that of what it was drawn on; else it takes the picture's."""

    def draw(self, picture: Path, size: tuple[int, int]) -> np.ndarray:
        """Return the mask (H, W), uint8, of a picture whose upright size is ``size``, (H, W).

        It may be drawn on the picture as it is stored. ``str`` names where it is from.
        """


@dataclass(frozen=True)
class Sample:
    """A picture and what is known of it.

    Attributes:
        name: Its path without suffix, ``/`` between folders; unique in a source.
        picture: Its file.
        mask: Its classes, for segmentation.
        label: Its class, for classification.
        depth: Its depth file.
        split: The part that it belongs to where the source says so.
    """

    name: str
    picture: Path
    mask: Mask | None = None
    label: int | None = None
    depth: Path | None = None
    split: str | None = None


@dataclass
class Source:
    """What a reader found.

    Attributes:
        task: ``'segmentation'``, ``'classification'`` or ``'depth'``.
        samples: All that can be used.
        classes: In the order of their numbers; empty for depth.
        notes: What the files turned out to be, for people.
        warnings: What was left out or looks wrong, for people.
    """

    task: str
    samples: list[Sample]
    classes: list[Category] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def split_of(name: str) -> str | None:
    """Tell the part of a data set by the name of its folder, such as ``valid``; None for others."""
    return _SPLIT_NAMES.get(name.lower())


def listed(names: Sequence[object], most: int = 3) -> str:
    """Name a few of many: ``a, b, c and 7 more``."""
    shown = ', '.join(str(name) for name in names[:most])
    return shown if len(names) <= most else f'{shown} and {len(names) - most} more'


def count(number: int, thing: str, things: str = '') -> str:
    """Say how many: ``1 picture``, ``2 pictures``."""
    return f'{number} {thing if number == 1 else things or thing + "s"}'


def left_out(thing: str, names: Sequence[str], what: str) -> list[str]:
    """Return a warning that things have no partner; none where there are no such things."""
    if not names:
        return []
    are = 'is' if len(names) == 1 else 'are'
    counted = count(len(names), f'{thing} has', f'{thing}s have')
    return [f'{counted} no {what} and {are} left out: {listed(names)}']


def check_found(samples: Sequence[Sample], missing: Sequence[str], file: Path, place: Path) -> None:
    """Refuse annotations none of whose photos is there.

    Args:
        samples: Those of the photos that are.
        missing: Names of the others.
        file: The annotations.
        place: Where the photos should be.

    Raises:
        UserError: There are no samples.
    """
    if not samples and not missing:
        raise UserError(f"'{file}' names no photos: export it anew, or name another file")
    if not samples:
        raise UserError(
            f"none of the photos that '{file}' names is in '{place}', such as '{missing[0]}': name "
            'their folder second'
        )


def photos_left_out(
    photos: Iterable[Path], samples: Sequence[Sample], missing: Sequence[str] = ()
) -> list[str]:
    """Return warnings of photos that are named but not there, and of those that nothing names."""
    warnings = []
    if missing:
        counted = count(len(missing), 'photo is', 'photos are')
        warnings.append(f'{counted} named but not there, and left out: {listed(missing)}')
    used = {sample.picture.resolve() for sample in samples}
    alone = [p.name for p in photos if p.resolve() not in used]
    return warnings + left_out('photo', alone, 'entry')
