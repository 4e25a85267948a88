"""Look at every picture of a data set and at what belongs to it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.datasets import dataset_file
from sacm_mm.datasets.picture_files import find_pictures, read_picture, to_channels

from .samples import SPLITS, Category
from .statistics import Facts, class_pixels, depth_quantiles, facts_of


@dataclass
class Look:
    """What was seen of one picture and its truth; ``problem`` is what and its fix."""

    path: Path
    part: str
    facts: Facts | None = None
    truth: Path | None = None
    problem: tuple[str, str] | None = None
    depth_range: tuple[float, ...] = ()
    farthest: tuple[float, float] = (0.0, 0.0)  # the largest depth, and its share of the pixels
    pixels: dict[int, int] = field(default_factory=dict)


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
            look.problem = (f"'{path}' is {picture.dtype}, the others are {wanted['dtype']}",
                            'convert it or take it out')  # fmt: skip
            return look
        to_channels(picture, wanted['channels'])
        look.facts = facts_of(f'{part}/{inner.as_posix()}', path, picture)
        kind = content['task']
        if kind == 'classification':
            names = [category.name for category in classes]
            name = dataset_file.class_of_folder(inner.parts[0], classes)
            if name in names:
                look.pixels = {names.index(name): 1}
            else:
                look.problem = (f"'{path}' is in no folder of a class", 'move it into one')
        else:
            sub = 'masks' if kind == 'segmentation' else 'depth'
            look.truth = (folder / sub / part / inner).with_suffix('.png')
            reader = _read_mask if kind == 'segmentation' else _read_depth
            reader(look, classes, content)
    except UserError as error:
        what, _, fix = str(error).rpartition(': ')
        look.problem = (what or str(error), fix or 'mend it')
        look.facts = None
    return look


def _open(look: Look, what: str) -> np.ndarray | None:
    assert look.truth is not None and look.facts is not None
    if not look.truth.is_file():
        look.problem = (f"picture '{look.path}' has no {what} '{look.truth}'", 'add it or take '
                        'the picture out')  # fmt: skip
        return None
    try:
        with Image.open(look.truth) as image:
            image.load()
            pixels = np.asarray(image)
    except Exception as error:  # each decoder has exceptions of its own
        look.problem = (f"cannot read {what} '{look.truth}' ({one_line(error, 120)})", 'replace it')
        return None
    if pixels.shape != tuple(look.facts.size):
        h, w = look.facts.size
        shape = f'{pixels.shape[1]}x{pixels.shape[0]}' if pixels.ndim == 2 else 'in colour'
        look.problem = (f"{what} '{look.truth}' is {shape}, its picture is {w}x{h}",
                        'make them agree')  # fmt: skip
        return None
    return pixels


def _read_mask(look: Look, classes: list[Category], content: dict[str, Any]) -> None:
    mask = _open(look, 'mask')
    if mask is None:
        return
    if mask.dtype != np.uint8:
        look.problem = (f"mask '{look.truth}' has {mask.dtype} numbers", 'save it with 8 bits')
        return
    look.pixels = class_pixels(mask)
    outside = [v for v in look.pixels if v >= len(classes) and v != IGNORE_INDEX]
    if outside:
        look.problem = (
            f"mask '{look.truth}' holds {outside[0]}, the {len(classes)} classes are 0 to "
            f'{len(classes) - 1}',
            "mend the mask, or run 'sacm data' again with its source",
        )


def _read_depth(look: Look, classes: list[Category], content: dict[str, Any]) -> None:
    steps = _open(look, 'depth map')
    if steps is None:
        return
    if steps.dtype == np.uint8:
        look.problem = (f"depth map '{look.truth}' has 8 bits", 'save it with 16 bits')
        return
    step = content['depth']['step']
    look.depth_range = depth_quantiles(steps.astype(np.float32) * step)
    largest = steps.max()
    look.farthest = (largest * step, float(np.mean(steps == largest)))
