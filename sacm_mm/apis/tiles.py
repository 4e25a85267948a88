"""Cut a picture that is too large into overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sacm_mm.core.errors import UserError

Slices = tuple[slice, slice]


class Tile(NamedTuple):
    """A part of a picture.

    Attributes:
        outer: What goes through the network, in the picture.
        inner: What of it is kept, in the picture.
        kept: The same in the tile.
    """

    outer: Slices
    inner: Slices
    kept: Slices


def cut(shape: tuple[int, int], size: int, overlap: int, stride: int) -> Iterator[Tile]:
    """Cut a picture (H, W); what is kept of the tiles covers every pixel once.

    Tiles begin on multiples of the network's stride, so that their patches are the picture's.

    Args:
        shape: H, W.
        size: Pixels a side of a tile.
        overlap: Pixels that neighbours share at least; each keeps half.
        stride: Of the network.

    Raises:
        UserError: The tiles are too small for their overlap.
    """
    step = (size - overlap) // stride * stride
    if overlap < 0 or step <= 0:
        raise UserError(
            f'tiles of {size} pixels with an overlap of {overlap} do not advance: let --tile be '
            f'at least {overlap + stride}'
        )
    for top, bottom, first, last in _spans(shape[0], size, step, stride):
        for left, right, start, end in _spans(shape[1], size, step, stride):
            yield Tile(
                (slice(top, bottom), slice(left, right)),
                (slice(first, last), slice(start, end)),
                (slice(first - top, last - top), slice(start - left, end - left)),
            )


def _spans(length: int, size: int, step: int, stride: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield begin and end of each tile along one side, and of what is kept of it."""
    last = -(-max(0, length - size) // stride) * stride  # a whole tile, less part of a stride
    begin, kept = 0, 0
    while True:
        end, following = min(begin + size, length), min(begin + step, last)
        until = end if end == length else (following + end) // 2
        yield begin, end, kept, until
        if end == length:
            return
        begin, kept = following, until
