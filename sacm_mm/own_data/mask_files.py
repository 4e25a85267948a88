"""Masks that are pictures: find out what stands for a class in them, and read them.

A mask is colour-coded, a palette, grey values, 0 and 255, one bit, 16 bits or transparent.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import (
    read_orientation,
    read_picture,
    shorten,
    turn_upright,
)

from .samples import IGNORED, MAX_CLASSES

_MOST_CODES = 4096  # of one file: more are a photo, or smooth
_FREQUENT = 0.005  # share of the pixels of a value that is no blur


@dataclass
class RawMask:
    """A mask as it is stored.

    Attributes:
        codes: (H, W), uint32: grey values or ``r << 16 | g << 8 | b``.
        form: ``'colour'``, ``'grey'`` or ``'palette'``.
        palette: Colours by index, of palette files.
        remarks: What was done to it: ``'alpha'`` or ``'16 bit'``.
    """

    codes: np.ndarray
    form: str
    palette: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


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


def read_raw_mask(path: Path) -> RawMask:
    """Read a mask as it is stored.

    Raises:
        UserError: It cannot be read, or holds numbers that are no classes.
    """
    if path.suffix.lower() in ('.tif', '.tiff', '.npy'):
        return _of_array(read_picture(path), path, ())
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
            if image.mode == 'P':
                return _of_palette(image)
            if image.mode == '1':
                return RawMask(np.asarray(image).astype(np.uint32), 'grey')
            if image.mode == 'PA':
                image = image.convert('RGBA')
            pixels = np.asarray(image)
    except Exception as error:  # each decoder has exceptions of its own
        raise UserError(
            f"cannot read mask '{path}' ({shorten(error)}): replace the file or take it out"
        ) from error
    return _of_array(pixels if pixels.ndim == 3 else pixels[..., None], path, ())


def _of_palette(image: Image.Image) -> RawMask:
    colours = np.asarray(image.getpalette('RGB') or [], np.uint8).reshape(-1, 3).tolist()
    codes = np.asarray(image).astype(np.uint32)
    return RawMask(codes, 'palette', {i: (r, g, b) for i, (r, g, b) in enumerate(colours)})


def _of_array(pixels: np.ndarray, path: Path, remarks: tuple[str, ...]) -> RawMask:
    if np.issubdtype(pixels.dtype, np.floating):
        whole = np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()
        if not whole or pixels.min() < 0:
            raise UserError(
                f"mask '{path}' holds fractions or negative numbers: classes are whole numbers"
            )
        pixels = pixels.astype(np.uint32)
    if pixels.dtype.itemsize > 1:
        remarks = (*remarks, '16 bit')
    channels = pixels.shape[2]
    if channels in (2, 4):
        pixels, remarks = _without_alpha(pixels, path, remarks)
        channels -= 1
    if channels == 1:
        return RawMask(pixels[..., 0].astype(np.uint32), 'grey', remarks=remarks)
    if channels != 3 or (pixels.dtype.itemsize > 1 and pixels.max() > 255):
        raise UserError(
            f"mask '{path}' has {pixels.shape[2]} channels of {pixels.dtype}: it must be one "
            'channel of numbers, or colours of 8 bits'
        )
    wide = pixels.astype(np.uint32)
    if (wide[..., 0] == wide[..., 1]).all() and (wide[..., 1] == wide[..., 2]).all():
        return RawMask(wide[..., 0], 'grey', remarks=remarks)
    return RawMask(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], 'colour', remarks=remarks)


def _without_alpha(
    pixels: np.ndarray, path: Path, remarks: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Drop an alpha channel; where it alone tells the objects, it is the mask."""
    colours, alpha = pixels[..., :-1], pixels[..., -1:]
    if (alpha == alpha.flat[0]).all():
        return colours, (*remarks, 'alpha')
    if (colours == colours[:1, :1]).all():
        return alpha, (*remarks, 'alpha is the mask')
    if not np.isin(alpha, (0, np.iinfo(pixels.dtype).max)).all():
        raise UserError(
            f"mask '{path}' is half transparent in places: its classes cannot be told, save it "
            'without transparency'
        )
    return np.where(alpha == 0, 0, colours).astype(pixels.dtype), (*remarks, 'alpha')


@dataclass(frozen=True)
class _Contents:
    """What a file holds: its codes, how many pixels each has, and their colours if a palette."""

    path: Path
    form: str
    pixels: dict[int, int]
    colours: dict[int, tuple[int, int, int]]
    remarks: tuple[str, ...]


def scan_masks(paths: Sequence[Path]) -> MaskScan:
    """Look at all masks and find out what they hold.

    Raises:
        UserError: One cannot be read or is no mask, or they are of two kinds.
    """
    files = [_look(path) for path in paths]
    palette = _merged_palette(files)
    coloured = palette is None or any(file.form == 'colour' for file in files)
    total: Counter[int] = Counter()
    first: dict[int, Path] = {}
    for file in files:
        for code, number in file.pixels.items():
            code = _as_colour(code, file) if coloured else code
            total[code] += number
            first.setdefault(code, file.path)
    if any(file.form == 'colour' for file in files):
        _refuse_two_kinds(files)
    every = sum(total.values())
    return MaskScan(
        coloured=coloured,
        share={code: total[code] / every for code in sorted(total)},
        first=first,
        palette={} if coloured else palette or {},
        notes=_notes(files, coloured),
    )


def _look(path: Path) -> _Contents:
    raw = read_raw_mask(path)
    codes, numbers = np.unique(raw.codes, return_counts=True)
    if len(codes) > _MOST_CODES:
        raise UserError(
            f"'{path}' holds {len(codes)} different values and is no mask of classes: a photo, "
            'a mask saved as JPEG, or numbers of objects? Give the folder of the masks second'
        )
    pixels = dict(zip(codes.tolist(), numbers.tolist()))
    colours = {code: raw.palette[code] for code in pixels if code in raw.palette}
    return _Contents(path, raw.form, pixels, colours, raw.remarks)


def _merged_palette(files: Sequence[_Contents]) -> dict[int, tuple[int, int, int]] | None:
    """Join the palettes of all files; None where an index has two colours."""
    merged: dict[int, tuple[int, int, int]] = {}
    for file in files:
        for code, colour in file.colours.items():
            if merged.setdefault(code, colour) != colour:
                return None
    return merged


def _refuse_two_kinds(files: Sequence[_Contents]) -> None:
    """Grey files among colour-coded ones are fine where their greys are colours of the others."""
    coloured = [file for file in files if file.form == 'colour']
    known = {0, 0xFFFFFF}.union(*(file.pixels for file in coloured))
    for file in files:
        for code in file.pixels if file.form == 'grey' else ():
            if _grey_colour(code) not in known:
                raise UserError(
                    f"masks are of two kinds: '{coloured[0].path}' is colour-coded, "
                    f"'{file.path}' holds the grey value {code}: bring them to one"
                )


def _grey_colour(code: int) -> int:
    return code << 16 | code << 8 | code


def _as_colour(code: int, file: _Contents) -> int:
    if file.form == 'palette':
        return code_of(file.colours.get(code, (0, 0, 0)))
    return _grey_colour(code) if file.form == 'grey' else code


def through_palette(raw: RawMask) -> np.ndarray:
    """Return what a mask shows as colours (H, W), uint32."""
    if raw.form == 'colour':
        return raw.codes
    if raw.form == 'grey':
        return raw.codes * np.uint32(0x010101)
    table = np.zeros(256, np.uint32)
    for index, colour in raw.palette.items():
        table[index] = code_of(colour)
    return table[raw.codes]


def _notes(files: Sequence[_Contents], coloured: bool) -> list[str]:
    names = {'colour': 'colour-coded', 'grey': 'numbers in one channel', 'palette': 'palettes'}
    forms = Counter(file.form for file in files)
    remarks = Counter(remark for file in files for remark in file.remarks)
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
    """Refuse masks whose edges are smooth, as JPEG and resizing make them.

    Raises:
        UserError: Most of the values are rare.
    """
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

    def draw(self, picture: Path, size: tuple[int, int]) -> np.ndarray:
        """Read it as classes (H, W), uint8.

        Raises:
            UserError: It has another size than its picture, or an unknown value.
        """
        raw = read_raw_mask(self.path)
        codes = through_palette(raw) if self.coloured else raw.codes
        codes = fit_to_picture(codes, picture, size, f"mask '{self.path}'")
        known = np.array(sorted(self.classes), np.uint32)
        position = np.searchsorted(known, codes).clip(max=len(known) - 1)
        unknown = known[position] != codes
        if unknown.any():
            code = int(codes[unknown][0])
            raise UserError(f"mask '{self.path}' holds {describe(code, self.coloured)}: no class")
        table = np.array([self.classes[int(code)] for code in known], np.uint8)
        return table[position]


def fit_to_picture(mask: np.ndarray, picture: Path, size: tuple[int, int], what: str) -> np.ndarray:
    """Turn a mask like its photo where it was drawn on the photo as it is stored.

    Raises:
        UserError: It has another size than its picture.
    """
    if mask.shape == tuple(size):
        return mask
    orientation = read_orientation(picture) if mask.shape == tuple(size)[::-1] else 1
    if orientation > 4:
        return turn_upright(mask, orientation)
    raise UserError(
        f"{what} is {mask.shape[1]}x{mask.shape[0]} pixels, but its picture '{picture}' is "
        f'{size[1]}x{size[0]}: they must agree'
    )


def code_of(colour: tuple[int, int, int]) -> int:
    """Return the code of a colour."""
    r, g, b = colour
    return r << 16 | g << 8 | b


def is_ignored_value(value: int, others: Sequence[int]) -> bool:
    """Tell whether 255 among numbers means "ignore": beside 0, 1, 2, and not alone beside 0."""
    rest = [v for v in others if v != value]
    return value == IGNORED and len(rest) >= 2 and max(rest) < 2 * len(rest) + 8
