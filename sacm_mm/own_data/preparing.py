"""``prepare``: bring a source to a folder that trains at once."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable, publish_folder
from sacm_mm.datasets import dataset_file
from sacm_mm.datasets.picture_files import read_picture

from .pairing import without_split
from .read_depth import DepthUnit, read_depth_frame
from .ready_config import config_text, template_values
from .samples import SPLITS, Category, Sample, Source, count, listed
from .splitting import SplitWishes, looks_like_video, split_samples
from .statistics import (
    Facts,
    Form,
    class_pixels,
    class_shares,
    common_form,
    depth_quantiles,
    facts_of,
    mean_std,
    neighbours_alike,
    usual_size,
)

_STEPS = (1e-4, 1e-3, 1e-2)  # metres of a step of the PNG, the finest that holds the depths


@dataclass
class Prepared:
    """What came of it.

    Attributes:
        folder: The data set.
        config: Its ready config.
        lines: What to tell people.
        warnings: What they should look at.
    """

    folder: Path
    config: Path
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


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


def prepare(job: Job) -> Prepared:
    """Write a data set, whole or not at all; one that is there is brought up to date.

    Raises:
        UserError: Something of the source is wrong, or ``out`` cannot be written.
    """
    earlier = _earlier(job)
    source = job.read(earlier.classes)
    parts = _split(source, job.split, earlier.parts)
    with publish_folder(job.out, overwrite=True) as folder:
        facts, step = _write_files(source, parts, job, folder)
        form = common_form(facts)
        content = _content(source, parts, facts, form, job, step)
        (folder / dataset_file.NAME).write_text(dataset_file.to_text(content), encoding='utf-8')
        values = template_values(content, job.out.name, job.command)
        kept = _write_config(config_text(values), folder, job.out, earlier.config_digest)
    config = job.out / f'{job.out.name}.py'
    warnings = [*source.warnings, *_doubts(source, parts, facts, job)]
    lines = [*source.notes, *form.notes, *_summary(content)]
    if kept:
        lines.append(f"'{config}' was edited and is kept; the new one is '{kept}'")
    return Prepared(job.out, config, lines, warnings)


@dataclass
class _Earlier:
    classes: list[Category] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    config_digest: str = ''


def _earlier(job: Job) -> _Earlier:
    """Read what an earlier run wrote, which keeps its numbers of classes and its parts."""
    out = job.out
    check_writable(out.parent)
    if '"' in str(out.absolute()) or '\n' in str(out.absolute()):
        raise UserError(f"--out '{out}' holds a quotation mark, which no config takes: rename it")
    if not out.name or not out.stem.isprintable() or out.is_file():
        raise UserError(f"--out '{out}' must name a folder that is new or a data set")
    if not out.exists() or not any(out.iterdir()):
        return _Earlier()
    if not (out / dataset_file.NAME).is_file():
        raise UserError(
            f"'{out}' holds something that 'sacm data' did not write: choose another --out"
        )
    own = {dataset_file.NAME, 'check.html', f'{out.name}.py', f'{out.name}.py.new', '__pycache__'}
    for path in sorted(out.iterdir()):
        if path.name not in own | {'images', 'masks', 'depth'} and path.name[0] != '.':
            raise UserError(
                f"'{path}' is not of 'sacm data', and '{out}' is written anew: move it elsewhere"
            )
    content = dataset_file.read_dataset_file(out)
    earlier = _Earlier(config_digest=str(content.get('config', '')))
    origin = content.get('source') or {}
    if origin.get('kind') != job.origin['kind']:
        raise UserError(
            f"'{out}' was made from {origin.get('kind')}, not from {job.origin['kind']}: choose "
            'another --out'
        )
    earlier.classes = dataset_file.categories(content, out / dataset_file.NAME)
    if _split_text(job.split) == content.get('split'):
        for part in SPLITS:
            for name in (content.get('names') or {}).get(part) or ():
                earlier.parts[name] = part
    return earlier


def _split_text(wishes: SplitWishes) -> dict[str, Any]:
    return {'shares': list(wishes.shares), 'seed': wishes.seed, 'group': wishes.group}


def _split(source: Source, wishes: SplitWishes, earlier: dict[str, str]) -> dict[str, str]:
    if source.task != 'classification' or any(s.split for s in source.samples) or wishes.group:
        return split_samples(source.samples, wishes, earlier)
    by_class: dict[int | None, list[Sample]] = defaultdict(list)
    for sample in source.samples:
        by_class[sample.label].append(sample)
    parts: dict[str, str] = {}
    lonely = []
    for label, samples in by_class.items():
        if len(samples) < 2:
            lonely.append(source.classes[label or 0].name)
            parts[samples[0].name] = 'train'
        else:
            parts.update(split_samples(samples, wishes, earlier))
    if lonely:
        source.warnings.append(f'classes with one picture, which trains only: {listed(lonely)}')
    if 'val' not in parts.values():
        raise UserError('no class has two pictures: training and validation need one each')
    return parts


def place_of_file(sample: Sample, part: str, classes: Sequence[Category]) -> str:
    """Return where a picture goes, under ``images/<part>``, with its suffix."""
    if sample.label is not None:
        inner = without_split(sample.name).split('/', 1)[-1]
        return f'{classes[sample.label].name}/{inner}'
    return f'{without_split(sample.name)}{sample.picture.suffix}'


def _write_files(
    source: Source, parts: dict[str, str], job: Job, folder: Path
) -> tuple[list[Facts], float]:
    """Write pictures and truth, each looked at once; a step of depth is in metres."""
    step = _depth_step(source, job)
    taken: dict[str, Path] = {}
    places = {}
    for sample in source.samples:
        place = place_of_file(sample, parts[sample.name], source.classes)
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


def _content(
    source: Source, parts: dict[str, str], facts: list[Facts], form: Form, job: Job, step: float
) -> dict[str, Any]:
    """Collect what ``dataset.yaml`` says."""
    trained = [fact for fact in facts if parts[fact.name] == 'train']
    mean, std = mean_std(trained, form.channels)
    shares, holders = class_shares(trained, len(source.classes))
    counts = Counter(parts.values())
    content: dict[str, Any] = {'task': source.task}
    if source.classes:
        content['classes'] = [
            {'name': c.name, 'colour': c.hex, 'code': c.code} for c in source.classes
        ]
    content['counts'] = {part: counts.get(part, 0) for part in SPLITS}
    content['pictures'] = {
        'channels': form.channels, 'dtype': form.dtype, 'mean': mean, 'std': std,
        'size': usual_size(facts),
    }  # fmt: skip
    if source.task != 'depth':
        what = 'pixels' if source.task == 'segmentation' else 'pictures'
        content['train'] = {f'share_of_{what}': shares, 'pictures_with_class': holders}
    else:
        valid = [fact.depths for fact in trained if fact.depths[3] > 0]
        content['depth'] = {
            'metric': bool(job.unit and job.unit.is_metric), 'step': step,
            'near': min((d[0] for d in valid), default=0.0),
            'median': float(np.median([d[1] for d in valid])) if valid else 0.0,
            'far': max((d[2] for d in valid), default=0.0),
            'valid': float(np.mean([fact.depths[3] for fact in trained])),
        }  # fmt: skip
    content['split'] = _split_text(job.split)
    content['source'] = job.origin
    content['found'] = source.notes + form.notes
    content['names'] = {
        part: sorted(name for name, other in parts.items() if other == part) for part in SPLITS
    }
    return content


def _write_config(text: str, folder: Path, out: Path, digest: str) -> str:
    """Write the ready config; one that was edited is kept. Returns where the new one went then."""
    name = f'{out.name}.py'
    new = hashlib.sha256(text.encode()).hexdigest()[:16]
    listing = folder / dataset_file.NAME
    listing.write_text(f'{listing.read_text(encoding="utf-8")}config: {new}\n', encoding='utf-8')
    there = out / name
    if there.is_file():
        current = there.read_bytes()
        if digest and hashlib.sha256(current).hexdigest()[:16] != digest:
            (folder / name).write_bytes(current)
            (folder / f'{out.name}.py.new').write_text(text, encoding='utf-8')
            return str(out / f'{out.name}.py.new')
    (folder / name).write_text(text, encoding='utf-8')
    return ''


def _doubts(source: Source, parts: dict[str, str], facts: list[Facts], job: Job) -> list[str]:
    warnings = []
    random_split = not any(sample.split for sample in source.samples) and not job.split.group
    if random_split and source.task != 'classification':
        pattern = looks_like_video([sample.name for sample in source.samples])
        if pattern or neighbours_alike(facts):
            why = 'names look like frames of recordings' if pattern else 'neighbours look alike'
            warnings.append(
                f'{why}: frames of one recording in training and validation make figures better '
                f"than they are; keep them together with --group '{pattern or '(.*)_.*'}'"
            )
    return warnings


def _summary(content: dict[str, Any]) -> list[str]:
    counts = {part: n for part, n in content['counts'].items() if n}
    pictures = content['pictures']
    size = pictures['size']
    what = f'{pictures["channels"]} channel{"s" * (pictures["channels"] != 1)}, {pictures["dtype"]}'
    many = f', {size["different"]} sizes' if size['different'] > 1 else ''
    return [
        ', '.join(f'{n} {part}' for part, n in counts.items())
        + f' {"pictures" if sum(counts.values()) != 1 else "picture"}, '
        f'{size["median"][0]}x{size["median"][1]} pixels{many}, {what}',
    ]


__all__ = ['Job', 'Prepared', 'count', 'prepare']
