"""Look at every picture of a data set and at what belongs to it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.datasets import dataset_file
from sacm_mm.datasets.picture_files import find_pictures, read_picture, to_channels, unreadable

from .samples import SPLITS, Category
from .statistics import class_pixels, depth_quantiles, facts_of


@dataclass
class Look:
    """What was seen of one picture and its truth; ``problem`` is what and its fix."""

    path: Path
    part: str
    facts: Any = None  # Facts, the truth's among them; None of a picture that cannot be used
    truth: Path | None = None
    problem: tuple[str, str] | None = None
    farthest: tuple[float, float] = (0.0, 0.0)  # the largest depth, and its share of the pixels


def look_at_all(folder: Path, content: dict[str, Any], classes: list[Category]) -> list[Look]:
    """Read every picture of a data set and what belongs to it; what is wrong is noted."""
    jobs = []
    for part in SPLITS:
        root = folder / 'images' / part
        if root.is_dir():
            jobs += [(path, part, path.relative_to(root)) for path in find_pictures(root)]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda job: _look(folder, content, classes, *job), jobs))


def _look(
    folder: Path, content: dict[str, Any], classes: list[Category], path: Path, part: str,
    inner: Path,
) -> Look:  # fmt: skip
    look = Look(path, part)
    try:
        picture = read_picture(path)
        wanted = content['pictures']
        if str(picture.dtype) != wanted['dtype']:
            raise UserError(
                f"'{path}' is {picture.dtype}, the others are {wanted['dtype']}: convert it or "
                'take it out'
            )
        to_channels(picture, wanted['channels'])
        look.facts = facts_of(f'{part}/{inner.as_posix()}', path, picture)
        kind = content['task']
        if kind == 'classification':
            names = [category.name for category in classes]
            name = dataset_file.class_of_folder(inner.parts[0], classes)
            if name not in names:
                raise UserError(f"'{path}' is in no folder of a class: move it into one")
            look.facts.pixels = {names.index(name): 1}
        else:
            sub = 'masks' if kind == 'segmentation' else 'depth'
            look.truth = (folder / sub / part / inner).with_suffix('.png')
            if kind == 'segmentation':
                _read_mask(look, look.truth, len(classes))
            else:
                _read_depth(look, look.truth, content['depth']['step'])
    except UserError as error:
        what, _, fix = str(error).rpartition(': ')
        look.problem = (what or str(error), fix or 'mend it')
    return look


def _open(look: Look, what: str, truth: Path) -> np.ndarray:
    if not truth.is_file():
        raise UserError(
            f"picture '{look.path}' has no {what} '{truth}': add it or take the picture out"
        )
    with unreadable(f"{what} '{truth}'", 'replace it'), Image.open(truth) as image:
        image.load()
        pixels = np.asarray(image)
    if pixels.shape != look.facts.size:
        h, w = look.facts.size
        shape = f'{pixels.shape[1]}x{pixels.shape[0]}' if pixels.ndim == 2 else 'in colour'
        raise UserError(f"{what} '{truth}' is {shape}, its picture is {w}x{h}: make them agree")
    return pixels


def _read_mask(look: Look, truth: Path, classes: int) -> None:
    mask = _open(look, 'mask', truth)
    if mask.dtype != np.uint8:
        raise UserError(f"mask '{truth}' has {mask.dtype} numbers: save it with 8 bits")
    pixels = class_pixels(mask)
    outside = [value for value in pixels if value >= classes and value != IGNORE_INDEX]
    look.facts.pixels = {value: n for value, n in pixels.items() if value not in outside}
    if outside:
        raise UserError(
            f"mask '{truth}' holds {outside[0]}, the {classes} classes are 0 to {classes - 1}: "
            "mend the mask, or run 'sacm data' again with its source"
        )


def _read_depth(look: Look, truth: Path, step: float) -> None:
    steps = _open(look, 'depth map', truth)
    if steps.dtype == np.uint8:
        raise UserError(f"depth map '{truth}' has 8 bits: save it with 16 bits")
    look.facts.depths = depth_quantiles(steps.astype(np.float32) * step)
    largest = steps.max()
    look.farthest = (largest * step, float(np.mean(steps == largest)))
