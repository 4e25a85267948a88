"""What is known of each picture, and of all of them together."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.datasets.picture_files import check_numbers

from .samples import count

_THUMB = 16


@dataclass
class Facts:
    """What was seen of a picture and its truth while it was written.

    Attributes:
        name: Of its sample.
        path: Of its source file.
        size: (H, W), upright.
        channels: As the file has them.
        dtype: Of its numbers.
        total: Sum of each channel.
        squares: Sum of the squares of each channel.
        content: Digest of the pixels.
        thumb: A very small grey version.
        suffix: Of the file, lower case.
        pixels: Pixels of each class, of masks.
        depths: Quantiles of valid depth, and the share that is valid.
        drawn: How truth lies on a photo that EXIF turns, see ``orientation``.
    """

    name: str
    path: Path
    size: tuple[int, int]
    channels: int
    dtype: str
    total: np.ndarray
    squares: np.ndarray
    content: str
    thumb: np.ndarray
    suffix: str
    pixels: dict[int, int] = field(default_factory=dict)
    depths: tuple[float, ...] = ()
    drawn: str = ''


def facts_of(name: str, path: Path, picture: np.ndarray) -> Facts:
    """Look at a picture (H, W, C).

    Raises:
        UserError: It holds numbers that are not finite.
    """
    flat = picture.reshape(-1, picture.shape[2])
    check_numbers(picture, None, f"picture '{path}'")
    wide = flat.astype(np.float64)
    digest = hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).hexdigest()
    return Facts(
        name=name, path=path, size=picture.shape[:2], channels=picture.shape[2],
        dtype=str(picture.dtype), total=wide.sum(0), squares=(wide**2).sum(0),
        content=digest[:16], thumb=_thumb(picture), suffix=path.suffix.lower(),
    )  # fmt: skip


def _thumb(picture: np.ndarray) -> np.ndarray:
    h, w = picture.shape[:2]
    rows = np.linspace(0, h - 1, _THUMB).astype(int)
    columns = np.linspace(0, w - 1, _THUMB).astype(int)
    grey = picture[rows][:, columns].astype(np.float32).mean(2)
    return (grey - grey.mean()) / (grey.std() + 1e-6)


def class_pixels(mask: np.ndarray) -> dict[int, int]:
    """Count the pixels of each value of a mask, uint8."""
    counted = np.bincount(mask.ravel(), minlength=256)
    return {value: int(n) for value, n in enumerate(counted) if n}


def depth_quantiles(depth: np.ndarray) -> tuple[float, ...]:
    """Return the 0.1, 50 and 99.9 % quantiles of valid depth, and the share that is valid."""
    valid = depth[depth > 0]
    if not valid.size:
        return (0.0, 0.0, 0.0, 0.0)
    low, middle, high = np.quantile(valid, (0.001, 0.5, 0.999))
    return float(low), float(middle), float(high), valid.size / depth.size


@dataclass
class Form:
    """What all pictures of a data set have in common.

    Attributes:
        channels: That the network takes.
        dtype: Of the files.
        notes: What differs between them, for people.
    """

    channels: int
    dtype: str
    notes: list[str]


def common_form(facts: Sequence[Facts]) -> Form:
    """Decide how many channels all pictures are brought to.

    Alpha of PNG and WebP is dropped; grey among colours becomes colour.

    Raises:
        UserError: They differ in other ways; the message names two files.
    """
    notes = []
    dtypes: dict[str, Facts] = {}
    channels: dict[int, list[Facts]] = {}
    for fact in facts:
        dtypes.setdefault(fact.dtype, fact)
        channels.setdefault(_real_channels(fact), []).append(fact)
    if len(dtypes) > 1:
        a, b = list(dtypes.values())[:2]
        raise UserError(
            f"pictures differ in kind: '{a.path}' is {a.dtype}, '{b.path}' is {b.dtype}: convert "
            'them to one'
        )
    alpha = sum(_real_channels(fact) != fact.channels for fact in facts)
    if alpha:
        notes.append(f'alpha of {count(alpha, "picture")} is dropped')
    wanted = max(channels)
    odd = {number for number in channels if number != wanted}
    if odd and not (wanted == 3 and odd == {1}):
        a, b = channels[wanted][0], channels[min(odd)][0]
        raise UserError(
            f"pictures differ in channels: '{a.path}' has {wanted}, '{b.path}' has {min(odd)}: "
            'convert them to one number or take them out'
        )
    if odd:
        notes.append(f'{count(len(channels[1]), "grey picture")} among colours become colour')
    (dtype,) = dtypes
    return Form(wanted, dtype, notes)


def _real_channels(fact: Facts) -> int:
    if fact.channels == 2:
        return 1
    if fact.channels == 4 and fact.suffix in ('.png', '.webp', '.gif'):
        return 3
    return fact.channels


def mean_std(facts: Sequence[Facts], channels: int) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel over all pixels, in the file's order."""
    total, squares, pixels = np.zeros(channels), np.zeros(channels), 0
    for fact in facts:
        grey = fact.channels < channels
        total += fact.total[0] if grey else fact.total[:channels]
        squares += fact.squares[0] if grey else fact.squares[:channels]
        pixels += fact.size[0] * fact.size[1]
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    std = np.where(std > 1e-9 * np.maximum(np.abs(mean), 1), std, 1.0)  # a channel of one value
    return [_round(v) for v in mean], [_round(v) for v in std]


def _round(value: float) -> float:
    return float(f'{value:.5g}')


def usual_size(facts: Sequence[Facts]) -> dict[str, Any]:
    """Return the median, least and largest sides, in pixels."""
    heights, widths = zip(*(fact.size for fact in facts))
    return {
        'median': [int(np.median(widths)), int(np.median(heights))],
        'least': [min(widths), min(heights)],
        'largest': [max(widths), max(heights)],
        'different': len({fact.size for fact in facts}),
    }


def class_shares(facts: Sequence[Facts], number: int) -> tuple[list[float], list[int]]:
    """Return for each class its share of the labelled pixels, and how many pictures hold it."""
    pixels = np.zeros(number)
    holders = np.zeros(number, int)
    for fact in facts:
        for value, n in fact.pixels.items():
            if value != IGNORE_INDEX:
                pixels[value] += n
                holders[value] += 1
    every = max(pixels.sum(), 1)
    return [float(f'{p / every:.4g}') for p in pixels], holders.tolist()


def same_content(facts: Sequence[Facts], parts: dict[str, str]) -> list[tuple[str, str]]:
    """List pictures of the same pixels that are in different parts."""
    first: dict[str, Facts] = {}
    pairs = []
    for fact in facts:
        other = first.setdefault(fact.content, fact)
        if other is not fact and parts[other.name] != parts[fact.name]:
            pairs.append((str(other.path), str(fact.path)))
    return pairs


def neighbours_alike(facts: Sequence[Facts], parts: dict[str, str]) -> bool:
    """Tell whether pictures that follow each other look alike where the next part begins.

    Args:
        facts: Of pictures in the order of their names.
        parts: Theirs, by name.
    """
    torn = [parts[a.name] != parts[b.name] for a, b in itertools.pairwise(facts)]
    if len(facts) < 12 or sum(torn) < 3:
        return False
    ordered = np.stack([fact.thumb for fact in facts])
    near = np.abs(ordered[1:] - ordered[:-1]).mean((1, 2))[torn]
    shuffled = ordered[np.random.default_rng(0).permutation(len(ordered))]
    far = np.abs(shuffled[1:] - shuffled[:-1]).mean((1, 2))
    return bool(np.median(near) < 0.6 * np.median(far))
