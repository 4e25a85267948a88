"""Write the pictures of a data set and their truth, each looked at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import read_picture

from .pairing import without_split
from .read_depth import DepthUnit, read_depth_frame
from .samples import Category, Sample, Source
from .splitting import SplitWishes
from .statistics import Facts, class_pixels, depth_quantiles, facts_of

_STEPS = (1e-4, 1e-3, 1e-2)  # metres of a step of the PNG, the finest that holds the depths


@dataclass
class Job:
    """A data set to be written.

    Attributes:
        read: Makes the source, given the classes of the data set that is written anew.
        out: Folder to write.
        origin: What ``dataset.yaml`` says of where it came from.
        split: How to split.
        unit: Of depth frames.
        link: Link to the pictures in place of copying them.
        command: How the user called it, for the head of the config.
    """

    read: Callable[[list[Category]], Source]
    out: Path
    origin: dict[str, Any]
    split: SplitWishes = field(default_factory=SplitWishes)
    unit: DepthUnit | None = None
    link: bool = False
    command: str = ''


def write_files(
    source: Source, parts: dict[str, str], job: Job, folder: Path
) -> tuple[list[Facts], float]:
    """Write pictures and truth, each looked at once; a step of depth is in metres."""
    step = _depth_step(source, job)
    taken: dict[str, Path] = {}
    places = {}
    for sample in source.samples:
        place = _place_of_file(sample, parts[sample.name], source.classes)
        key = f'{parts[sample.name]}/{place if sample.label is not None else _stem(place)}'
        if key in taken:
            raise UserError(
                f"'{taken[key]}' and '{sample.picture}' would have one name, '{key}': rename one"
            )
        taken[key] = sample.picture
        places[sample.name] = place

    def write(sample: Sample) -> Facts:
        part = parts[sample.name]
        picture = read_picture(sample.picture)
        facts = facts_of(sample.name, sample.picture, picture)
        target = folder / 'images' / part / places[sample.name]
        _place_picture(sample.picture, target, job.link)
        stem = _stem(places[sample.name])
        if sample.mask is not None:
            mask = sample.mask.draw(sample.picture, facts.size)
            facts.pixels = class_pixels(mask)
            _write_mask(mask, folder / 'masks' / part / f'{stem}.png', source.classes)
        elif sample.label is not None:
            facts.pixels = {sample.label: 1}
        elif sample.depth is not None and job.unit is not None:
            depth = _depth_of(sample, job.unit, facts.size)
            facts.depths = depth_quantiles(depth)
            _write_depth(depth, step, folder / 'depth' / part / f'{stem}.png')
        return facts

    # decoders release Python's lock
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(write, source.samples)), step


def _place_of_file(sample: Sample, part: str, classes: Sequence[Category]) -> str:
    """Return where a picture goes, under ``images/<part>``, with its suffix."""
    if sample.label is not None:
        inner = without_split(sample.name).split('/', 1)[-1]
        return f'{classes[sample.label].name}/{inner}'
    return f'{without_split(sample.name)}{sample.picture.suffix}'


def _stem(place: str) -> str:
    return Path(place).with_suffix('').as_posix()


def _place_picture(source: Path, target: Path, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, target)


def _write_mask(mask: np.ndarray, path: Path, classes: Sequence[Category]) -> None:
    """Write a mask as a palette PNG; what is ignored is white."""
    palette = np.full((256, 3), 255, np.uint8)
    for number, category in enumerate(classes):
        palette[number] = category.colour
    image = Image.fromarray(mask)
    image.putpalette(palette.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _depth_of(sample: Sample, unit: DepthUnit, size: tuple[int, int]) -> np.ndarray:
    assert sample.depth is not None
    depth = read_depth_frame(sample.depth, unit)
    if depth.shape != tuple(size):
        raise UserError(
            f"depth frame '{sample.depth}' is {depth.shape[1]}x{depth.shape[0]} pixels, but its "
            f"picture '{sample.picture}' is {size[1]}x{size[0]}: they must agree"
        )
    return depth


def _depth_step(source: Source, job: Job) -> float:
    """Choose what a step of the depth PNGs means, so that 16 bits hold all of them."""
    if job.unit is None:
        return 0.0
    largest = 0.0
    for sample in source.samples:
        if sample.depth is not None:
            largest = max(largest, float(read_depth_frame(sample.depth, job.unit).max()))
    if largest == 0:
        raise UserError('no depth frame holds a valid depth: 0 and nan are "not measured"')
    if not job.unit.is_metric:
        return max(1 / 256, largest / 65535)
    for step in _STEPS:
        if largest / step <= 65535:
            return step
    raise UserError(
        f'depth reaches {largest:g} m with --unit {job.unit.name}, more than {65535 * _STEPS[-1]:g}'
        ' m: is the unit right?'
    )


def _write_depth(depth: np.ndarray, step: float, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    steps = np.rint(depth / step)
    # what was measured stays so, however near
    steps = np.where((depth > 0) & (steps < 1), 1, steps).astype(np.uint16)
    Image.fromarray(steps).save(path)
