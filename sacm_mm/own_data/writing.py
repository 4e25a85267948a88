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
from sacm_mm.datasets.picture_files import read_orientation, read_picture, turn_upright

from .orientation import EITHER, SHOWN, STORED, drawn_as
from .pairing import without_split
from .read_depth import DepthUnit, read_depth_frame
from .samples import Category, Sample, Source, count, listed
from .splitting import SplitWishes
from .statistics import Facts, class_pixels, depth_quantiles, facts_of

_STEPS = (1e-4, 1e-3, 1e-2)  # metres of a step of the PNG, the finest that holds the depths


@dataclass
class Job:
    """A data set to be written.

    Attributes:
        read: Makes the source, given the classes of the data set that is written anew.
        out: Folder to write.
        origin: What ``dataset.yaml`` says of where it came from: kind, paths and command.
        split: How to split.
        unit: Of depth frames.
        link: Link to the pictures in place of copying them.
    """

    read: Callable[[list[Category]], Source]
    out: Path
    origin: dict[str, Any]
    split: SplitWishes = field(default_factory=SplitWishes)
    unit: DepthUnit | None = None
    link: bool = False


def write_files(
    source: Source, parts: dict[str, str], job: Job, folder: Path
) -> tuple[list[Facts], float]:
    """Write pictures and truth, each looked at once; a step of depth is in metres."""
    _refuse_shared(source.samples)
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
        picture = read_picture(sample.picture)
        facts = facts_of(sample.name, sample.picture, picture)
        target = folder / 'images' / parts[sample.name] / places[sample.name]
        target.parent.mkdir(parents=True, exist_ok=True)
        if job.link:
            target.symlink_to(sample.picture.resolve())
        else:
            shutil.copyfile(sample.picture, target)
        if sample.label is not None:
            facts.pixels = {sample.label: 1}
        else:
            write_truth(sample, facts)
        return facts

    def write_truth(sample: Sample, facts: Facts, turned: bool = False) -> None:
        inner = f'{parts[sample.name]}/{_stem(places[sample.name])}.png'
        if sample.mask is not None:
            what, truth = str(sample.mask), sample.mask.draw(sample.picture, facts.size)
        elif sample.depth is not None and job.unit is not None:
            what, truth = f"depth frame '{sample.depth}'", read_depth_frame(sample.depth, job.unit)
        facts.drawn = drawn_as(truth.shape, sample.picture, facts.size, what)
        if facts.drawn == SHOWN and sample.mask is not None and not sample.mask.tells_size:
            facts.drawn = EITHER  # shapes without a size are drawn at that of the photo
            if turned:
                truth = sample.mask.draw(sample.picture, facts.size[::-1])
        if facts.drawn == STORED or turned:
            truth = turn_upright(truth, read_orientation(sample.picture))
        if sample.mask is not None:
            facts.pixels = class_pixels(truth)
            _write_mask(truth, folder / 'masks' / inner, source.classes)
        else:
            facts.depths = depth_quantiles(truth)
            _write_depth(truth, step, folder / 'depth' / inner)

    # decoders release Python's lock
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        facts = list(pool.map(write, source.samples))
    known = {fact.drawn for fact in facts} & {SHOWN, STORED}
    unclear = [pair for pair in zip(source.samples, facts) if pair[1].drawn == EITHER]
    if known == {STORED}:  # so are those whose sizes do not tell
        for pair in unclear:
            write_truth(*pair, turned=True)
    elif unclear and known != {SHOWN}:
        source.warnings.append(
            f'{count(len(unclear), "photo is", "photos are")} stored turned (EXIF), and nothing '
            'tells whether what belongs to it was drawn on the photo as shown or as stored: taken '
            f"as shown, look at the pictures of 'sacm check': "
            f'{listed([sample.picture.name for sample, _ in unclear])}'
        )
    return facts, step


def _refuse_shared(samples: Sequence[Sample]) -> None:
    """Refuse files that two samples use: a name that fits twice is wrong once."""
    users: dict[Path, Sample] = {}
    for sample in samples:
        for path in (sample.picture, sample.depth, getattr(sample.mask, 'path', None)):
            other = users.setdefault(path, sample) if path else sample
            if other is not sample:
                raise UserError(
                    f"'{path}' belongs to '{other.name}' and to '{sample.name}' by its name: "
                    'rename one or take it out'
                )


def _place_of_file(sample: Sample, part: str, classes: Sequence[Category]) -> str:
    """Return where a picture goes, under ``images/<part>``, with its suffix."""
    if sample.label is not None:
        inner = without_split(sample.name).split('/', 1)[-1]
        return f'{classes[sample.label].code}/{inner}'  # a name may be edited
    return f'{without_split(sample.name)}{sample.picture.suffix}'


def _stem(place: str) -> str:
    return Path(place).with_suffix('').as_posix()


def _write_mask(mask: np.ndarray, path: Path, classes: Sequence[Category]) -> None:
    """Write a mask as a palette PNG; what is ignored is white."""
    palette = np.full((256, 3), 255, np.uint8)
    for number, category in enumerate(classes):
        palette[number] = category.colour
    image = Image.fromarray(mask)
    image.putpalette(palette.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _depth_step(source: Source, job: Job) -> float:
    """Choose what a step of the depth PNGs means, so that 16 bits hold all of them."""
    if job.unit is None:
        return 0.0
    largest = 0.0
    for sample in source.samples:
        if sample.depth is not None:
            largest = max(largest, float(read_depth_frame(sample.depth, job.unit).max()))
    if largest == 0:
        raise UserError('no depth frame holds a valid depth: 0, nan and 65535 are "not measured"')
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
