"""Masks that are pictures: find out what stands for a class in them, and draw them as classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX

from .raw_masks import RawMask, read_raw_mask, through_palette
from .samples import MAX_CLASSES

_MOST_CODES = 4096  # of one file: more are a photo, or smooth
_FREQUENT = 0.005  # share of the pixels of a value that is no blur


@dataclass
class MaskScan:
    """What all masks of a source hold.

    Attributes:
        coloured: They are colours; else numbers.
        share: Share of the pixels of each code, in the codes' order.
        first: A file that holds the code.
        palette: Colours of numbers, where palette files have them.
        notes: What the files are, for people.
    """

    coloured: bool
    share: dict[int, float]
    first: dict[int, Path]
    palette: dict[int, tuple[int, int, int]]
    notes: list[str]


@dataclass(frozen=True)
class _Contents:
    """What a file holds: a mask of each of its codes once, and how many pixels have them."""

    path: Path
    mask: RawMask
    pixels: list[int]

    @property
    def codes(self) -> list[int]:
        return self.mask.codes.tolist()


def scan_masks(paths: Sequence[Path]) -> MaskScan:
    """Look at all masks and find out what they hold.

    Raises:
        UserError: One cannot be read or is no mask, or they are of two kinds.
    """
    files = [_look(path) for path in paths]
    palette = _merged_palette(files)
    _refuse_two_kinds(files)
    coloured = palette is None or any(file.mask.form == 'colour' for file in files)
    total: Counter[int] = Counter()
    first: dict[int, Path] = {}
    for file in files:
        codes = through_palette(file.mask) if coloured else file.mask.codes
        for code, number in zip(codes.tolist(), file.pixels):
            total[code] += number
            first.setdefault(code, file.path)
    every = sum(total.values())
    return MaskScan(
        coloured=coloured,
        share={code: total[code] / every for code in sorted(total)},
        first=first,
        palette={} if coloured else palette or {},
        notes=_notes(files, coloured),
    )


def _look(path: Path) -> _Contents:
    mask = read_raw_mask(path)
    codes, numbers = np.unique(mask.codes, return_counts=True)
    if len(codes) > _MOST_CODES:
        raise UserError(
            f"'{path}' holds {len(codes)} different values and is no mask of classes: a photo, "
            'a mask saved as JPEG, or numbers of objects? Give the folder of the masks second'
        )
    return _Contents(path, replace(mask, codes=codes), numbers.tolist())


def _merged_palette(files: Sequence[_Contents]) -> dict[int, tuple[int, int, int]] | None:
    """Join the palettes of all files; None where an index has two colours."""
    merged: dict[int, tuple[int, int, int]] = {}
    for file in files:
        for code in file.codes:
            colour = file.mask.palette.get(code)
            if colour and merged.setdefault(code, colour) != colour:
                return None
    return merged


def _refuse_two_kinds(files: Sequence[_Contents]) -> None:
    """Grey files among colour-coded ones are fine where their greys are colours of the others."""
    coloured = [file for file in files if file.mask.form == 'colour']
    known = {0, 0xFFFFFF}.union(*(file.codes for file in coloured))
    for file in files if coloured else ():
        for code, colour in zip(file.codes, through_palette(file.mask).tolist()):
            if file.mask.form == 'grey' and colour not in known:
                raise UserError(
                    f"masks are of two kinds: '{coloured[0].path}' is colour-coded, "
                    f"'{file.path}' holds the grey value {code}: bring them to one"
                )


def _notes(files: Sequence[_Contents], coloured: bool) -> list[str]:
    names = {'colour': 'colour-coded', 'grey': 'numbers in one channel', 'palette': 'palettes'}
    forms = Counter(file.mask.form for file in files)
    remarks = Counter(remark for file in files for remark in file.mask.remarks)
    notes = ['masks: ' + ', '.join(f'{n} {names[form]}' for form, n in forms.most_common())]
    if coloured and not forms['colour']:
        notes.append('their palettes differ: a class is a colour, not an index')
    return notes + [f'{number} of them with {remark}' for remark, number in remarks.items()]


def merge_near(scan: MaskScan, colours: Sequence[int], tolerance: int) -> dict[int, int]:
    """Take each code for the nearest that is known: named, or frequent where none are named.

    Args:
        scan: What the masks hold.
        colours: Codes that have names; may be empty.
        tolerance: Largest difference of a channel.

    Returns:
        For each code the known one.

    Raises:
        UserError: A code is farther from all of them.
    """
    known = list(colours) or [c for c, share in scan.share.items() if share >= _FREQUENT]
    merged = {}
    for code in scan.share:
        near = min(known, key=lambda other: _distance(code, other, scan.coloured))
        if _distance(code, near, scan.coloured) > tolerance:
            raise UserError(
                f"mask '{scan.first[code]}' holds {describe(code, scan.coloured)}, which is no "
                f'known class: the nearest is {describe(near, scan.coloured)}; name it with '
                '--classes FILE, or give a larger --tolerance'
            )
        merged[code] = near
    return merged


def refuse_blur(scan: MaskScan) -> None:
    """Refuse masks whose edges are smooth, as JPEG and resizing make them: most values are rare."""
    rare = [code for code, share in scan.share.items() if share < _FREQUENT / 10]
    frequent = [code for code, share in scan.share.items() if share >= _FREQUENT]
    if len(scan.share) > MAX_CLASSES or (len(scan.share) > 30 and len(rare) > len(scan.share) / 2):
        path = scan.first[rare[0] if rare else next(iter(scan.share))]
        raise UserError(
            f"masks hold {len(scan.share)} different values, most of them rare, as in '{path}': "
            'they are smooth, from JPEG or resizing, or number objects; save them as PNG without '
            f'smoothing, or give --tolerance 40, which takes each for the nearest of the '
            f'{len(frequent)} frequent values'
        )


def _distance(a: int, b: int, coloured: bool) -> int:
    if not coloured:
        return abs(a - b)
    return max(abs((a >> s & 255) - (b >> s & 255)) for s in (16, 8, 0))


def describe(code: int, coloured: bool) -> str:
    """Say a code for people: ``#ff0000`` or ``the value 7``."""
    return f'the colour #{code:06x}' if coloured else f'the value {code}'


@dataclass(frozen=True)
class MaskFile:
    """A mask that is a picture.

    Attributes:
        path: Its file.
        coloured: Its codes are colours.
        classes: The class of each code, 255 for what is ignored.
    """

    path: Path
    coloured: bool
    classes: dict[int, int]
    tells_size = True

    def __str__(self) -> str:
        return f"mask '{self.path}'"

    def draw(self, picture: Path, size: tuple[int, int]) -> np.ndarray:
        """Read it as classes (H, W), uint8.

        Raises:
            UserError: It holds an unknown value.
        """
        raw = read_raw_mask(self.path)
        codes = through_palette(raw) if self.coloured else raw.codes
        known = np.array(sorted(self.classes), np.uint32)
        position = np.searchsorted(known, codes).clip(max=len(known) - 1)
        unknown = known[position] != codes
        if unknown.any():
            code = int(codes[unknown][0])
            raise UserError(f"mask '{self.path}' holds {describe(code, self.coloured)}: no class")
        table = np.array([self.classes[int(code)] for code in known], np.uint8)
        return table[position]


def is_ignored_value(value: int, others: Sequence[int]) -> bool:
    """Tell whether 255 among numbers means "ignore": beside 0, 1, 2, and not alone beside 0."""
    rest = [v for v in others if v != value]
    return value == IGNORE_INDEX and len(rest) >= 2 and max(rest) < 2 * len(rest) + 8
