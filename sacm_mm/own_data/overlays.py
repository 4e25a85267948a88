"""Pictures for the page: photos with their truth over them, small."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.core.templates import data_url
from sacm_mm.datasets.picture_files import as_rgb, read_picture, to_channels

from .findings import Report, Shown
from .looks import Look
from .samples import Category

_SHOWN = 12
_RAREST = 4
_WIDTH = 320
_OPACITY = 0.55


def show_pictures(
    report: Report, looks: Sequence[Look], classes: Sequence[Category], content: dict[str, Any]
) -> None:
    """Put overlays on a report: some of all parts, and where the rarest classes are largest.

    The looks are those without a problem.
    """
    if not looks:
        return
    places = np.unique(np.linspace(0, len(looks) - 1, _SHOWN).round().astype(int))
    report.pictures = [_shown(looks[i], classes, content, None) for i in places]
    if report.task != 'segmentation':
        return
    rarest = sorted(range(len(report.classes)), key=lambda i: report.classes[i].share)
    rarest = [i for i in rarest if report.classes[i].share > 0]
    for number in rarest[: min(_RAREST, len(rarest) // 2)]:
        best = max(looks, key=lambda look: look.facts.pixels.get(number, 0))
        report.rare.append(_shown(best, classes, content, number))


def _shown(
    look: Look, classes: Sequence[Category], content: dict[str, Any], only: int | None
) -> Shown:
    rgb = as_rgb(to_channels(read_picture(look.path), content['pictures']['channels']))
    caption = f'{look.part}/{look.path.name}'
    if look.truth is None:
        caption = f'{classes[next(iter(look.facts.pixels))].name}: {caption}'
    elif content['task'] == 'depth':
        rgb = _with_depth(rgb, look.truth)
    else:
        rgb = _with_mask(rgb, look.truth, classes, only)
        if only is not None:
            caption = f'{classes[only].name}: {caption}'
    return Shown(_address(rgb), caption)


def _with_mask(
    rgb: np.ndarray, path: Path, classes: Sequence[Category], only: int | None
) -> np.ndarray:
    with Image.open(path) as image:
        mask = np.asarray(image)
    colours = np.full((256, 3), 255, np.float32)
    for number, category in enumerate(classes):
        colours[number] = category.colour
    mixed = rgb * (1 - _OPACITY) + colours[mask] * _OPACITY
    drawn = (mask == only) if only is not None else (mask != IGNORE_INDEX)
    rest = rgb * (0.5 if only is not None else 1)
    return np.where(drawn[..., None], mixed, rest).astype(np.uint8)


def _with_depth(rgb: np.ndarray, path: Path) -> np.ndarray:
    """Put the depth beside the photo: near is light, what has none is red."""
    with Image.open(path) as image:
        depth = np.asarray(image).astype(np.float32)
    valid = depth > 0
    low, high = np.percentile(depth[valid], (2, 98)) if valid.any() else (0, 1)
    near = 1 - np.clip((depth - low) / max(high - low, 1e-6), 0, 1)
    shown = np.repeat((near * 255)[..., None], 3, axis=2)
    shown[~valid] = (150, 20, 20)
    return np.concatenate([rgb, shown.astype(np.uint8)], axis=1)


def _address(rgb: np.ndarray) -> str:
    """Return a picture as a data address, JPEG, at most ``_WIDTH`` wide."""
    image = Image.fromarray(rgb)
    if image.width > _WIDTH:
        image = image.resize((_WIDTH, max(1, image.height * _WIDTH // image.width)))
    elif image.width < _WIDTH // 2:  # tiny pictures keep their pixels
        factor = max(1, _WIDTH // 2 // image.width)
        image = image.resize(
            (image.width * factor, image.height * factor), Image.Resampling.NEAREST
        )
    stream = io.BytesIO()
    image.save(stream, 'JPEG', quality=82)
    return data_url(stream.getvalue())
