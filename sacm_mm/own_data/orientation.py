"""Truth of photos that EXIF turns: drawn on the photo as it is shown, or as it is stored."""

from __future__ import annotations

from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import read_orientation

PLAIN, SHOWN, STORED, EITHER = 'plain', 'shown', 'stored', 'either'


def drawn_as(shape: tuple[int, ...], picture: Path, size: tuple[int, int], what: str) -> str:
    """Tell from the sizes how truth was drawn: ``SHOWN``, ``STORED``, or maybe ``EITHER``.

    ``PLAIN`` are photos that nothing turns.

    Args:
        shape: (H, W) of the truth.
        picture: Its photo.
        size: (H, W) of the photo, upright.
        what: The truth, for the message.

    Raises:
        UserError: The truth has another size than its photo.
    """
    orientation = read_orientation(picture)
    sideways = orientation > 4
    if sideways and shape == size[::-1] != size:
        return STORED
    if shape != size:
        raise UserError(
            f"{what} is {shape[1]}x{shape[0]} pixels, but its picture '{picture}' is "
            f'{size[1]}x{size[0]}: they must agree'
        )
    if not 2 <= orientation <= 8:
        return PLAIN
    return SHOWN if sideways and size != size[::-1] else EITHER
