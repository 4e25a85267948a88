"""Read a mask as it is stored: colours, a palette, grey values, one bit, 16 bits, transparency."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import read_picture, unreadable


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


def read_raw_mask(path: Path) -> RawMask:
    """Read a mask as it is stored.

    Raises:
        UserError: It cannot be read, or holds numbers that are no classes.
    """
    if path.suffix.lower() in ('.tif', '.tiff', '.npy'):
        return _of_array(read_picture(path), path)
    with (
        unreadable(f"mask '{path}'", 'replace the file or take it out'),
        Image.open(io.BytesIO(path.read_bytes())) as image,
    ):
        image.load()
        if image.mode == 'P':
            return _of_palette(image)
        if image.mode == '1':
            return RawMask(np.asarray(image).astype(np.uint32), 'grey')
        pixels = np.asarray(image.convert('RGBA') if image.mode == 'PA' else image)
    return _of_array(pixels if pixels.ndim == 3 else pixels[..., None], path)


def through_palette(raw: RawMask) -> np.ndarray:
    """Return what a mask shows as the codes of colours (H, W)."""
    if raw.form == 'colour':
        return raw.codes
    if raw.form == 'grey':
        return raw.codes.astype(np.int64) * 0x010101  # of 16 bits more than any colour
    table = np.zeros(256, np.uint32)
    for index, colour in raw.palette.items():
        table[index] = code_of(colour)
    return table[raw.codes]


def code_of(colour: tuple[int, int, int]) -> int:
    """Return the code of a colour."""
    r, g, b = colour
    return r << 16 | g << 8 | b


def _of_palette(image: Image.Image) -> RawMask:
    colours = np.asarray(image.getpalette('RGB') or [], np.uint8).reshape(-1, 3).tolist()
    codes = np.asarray(image).astype(np.uint32)
    return RawMask(codes, 'palette', {i: (r, g, b) for i, (r, g, b) in enumerate(colours)})


def _of_array(pixels: np.ndarray, path: Path) -> RawMask:
    if np.issubdtype(pixels.dtype, np.floating):
        whole = np.isfinite(pixels).all() and (pixels == np.rint(pixels)).all()
        if not whole or pixels.min() < 0:
            raise UserError(
                f"mask '{path}' holds fractions or negative numbers: classes are whole numbers"
            )
        pixels = pixels.astype(np.uint32)
    remarks = ('16 bit',) if pixels.dtype.itemsize > 1 else ()
    channels = pixels.shape[2]
    if channels in (2, 4):
        pixels, remark = _without_alpha(pixels, path)
        remarks = (*remarks, remark)
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


def _without_alpha(pixels: np.ndarray, path: Path) -> tuple[np.ndarray, str]:
    """Drop an alpha channel; where it alone tells the objects, it is the mask."""
    colours, alpha = pixels[..., :-1], pixels[..., -1:]
    if (alpha == alpha.flat[0]).all():
        return colours, 'alpha'
    if (colours == colours[:1, :1]).all():
        return alpha, 'alpha is the mask'
    if not np.isin(alpha, (0, np.iinfo(pixels.dtype).max)).all():
        raise UserError(
            f"mask '{path}' is half transparent in places: its classes cannot be told, save it "
            'without transparency'
        )
    return np.where(alpha == 0, 0, colours).astype(pixels.dtype), 'alpha'
