"""Masks as run lengths of 0 and 1 by turns: COCO's lists and its compressed text, CVAT's lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np


def mask_of_runs(
    runs: Sequence[int] | str, size: tuple[int, int], order: Literal['C', 'F'] = 'F'
) -> np.ndarray:
    """Make a mask (H, W), bool, of run lengths.

    Args:
        runs: Lengths of 0, 1, 0, ...; or COCO's compressed text of them.
        size: H and W.
        order: ``'F'`` counts column by column, ``'C'`` row by row.

    Raises:
        ValueError: They are no lengths, or do not cover the mask.
    """
    # not by pycocotools, which ends the process on damaged text
    lengths = np.asarray(_decoded(runs) if isinstance(runs, str) else runs)
    if lengths.ndim != 1 or lengths.dtype.kind not in 'iu' or (lengths < 0).any():
        raise ValueError('its runs are no whole numbers from 0 on')
    if lengths.sum() != size[0] * size[1]:
        raise ValueError(f'its runs cover {lengths.sum()} of {size[0] * size[1]} pixels')
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size, order=order)


def _decoded(text: str) -> list[int]:
    """Read COCO's text: 5 bits a character, from the fourth number on differences."""
    runs: list[int] = []
    value = bits = 0
    for code in text.encode():
        code -= 48
        if not 0 <= code < 64:
            raise ValueError(f'{chr(code + 48)!r} stands in its runs')
        value |= (code & 31) << bits
        bits += 5
        if code & 32:  # the number goes on
            continue
        if code & 16:  # it is negative
            value -= 1 << bits
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = bits = 0
    if bits:
        raise ValueError('its runs are cut off')
    return runs
