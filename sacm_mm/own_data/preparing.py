"""``prepare``: bring a source to a folder that trains at once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable, publish_folder
from sacm_mm.datasets import dataset_file
from sacm_mm.datasets.picture_files import SUFFIXES, find_pictures

from .content import content_of, split_text, summary
from .ready_config import config_text, template_values
from .samples import SPLITS, Category, Sample, Source, listed
from .splitting import SplitWishes, split_samples, with_ready_parts
from .statistics import common_form
from .writing import Job, write_files


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


def prepare(job: Job) -> Prepared:
    """Write a data set, whole or not at all; one that is there is brought up to date.

    Raises:
        UserError: Something of the source is wrong, or ``out`` cannot be written.
    """
    earlier = _earlier(job)
    source = job.read(earlier.classes)
    parts = _split(source, job.split, earlier.parts)
    with publish_folder(job.out, overwrite=True) as folder:
        facts, step = write_files(source, parts, job, folder)
        form = common_form(facts)
        content = content_of(source, parts, facts, form, job, step)
        content['files'] = _digest_of_files(folder)
        config_of = config_text(template_values(content, job.out.name, job.origin['command']))
        content['config'] = _digest(config_of.encode())
        (folder / dataset_file.NAME).write_text(dataset_file.to_text(content), encoding='utf-8')
        kept = _write_config(config_of, folder, job.out, earlier.config_digest)
    config = job.out / f'{job.out.name}.py'
    lines = [*source.notes, *form.notes, summary(content)]
    if kept:
        lines.append(f"'{config}' was edited and is kept; the new one is '{kept}'")
    return Prepared(job.out, config, lines, source.warnings)


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
    origin = content.get('source') or {}
    if origin.get('kind') != job.origin['kind']:
        raise UserError(
            f"'{out}' was made from {origin.get('kind')}, not from {job.origin['kind']}: choose "
            'another --out'
        )
    classes = dataset_file.categories(content, out / dataset_file.NAME)
    named = content.get('names') or {}
    parts = {str(name): part for part in SPLITS for name in named.get(part) or ()}
    known = {Path(name).name for name in parts}
    added = [p for p in find_pictures(out / 'images') if not {p.name, p.stem} & known]
    if added:
        raise UserError(
            f"'{added[0]}' was added by hand, and '{out}' is written anew: move it to "
            'the source, with what belongs to it'
        )
    if content.get('files') not in (None, _digest_of_files(out)):
        last = max(_files(out), key=lambda path: path.lstat().st_mtime, default=out)
        raise UserError(
            f"files of '{out}' were edited, moved or removed since 'sacm data' wrote it (the "
            f"newest is '{last}'), and it is written anew: do the same to the source and choose "
            "another --out, or take the line 'files' out of its dataset.yaml"
        )
    kept = parts if split_text(job.split) == content.get('split') else {}
    return _Earlier(classes, kept, str(content.get('config', '')))


def _files(folder: Path) -> list[Path]:
    found = (path for part in ('images', 'masks', 'depth') for path in (folder / part).rglob('*'))
    # links whose photo is gone are files of the data set, too
    return sorted(p for p in found if p.name[0] != '.' and p.suffix.lower() in SUFFIXES)


def _digest_of_files(folder: Path) -> str:
    """Sum up which files there are, and what is in the masks and the depth maps."""
    digest = hashlib.sha256()
    for path in _files(folder):
        place = path.relative_to(folder)
        digest.update(place.as_posix().encode('utf-8', 'surrogateescape'))
        if place.parts[0] != 'images':
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _split(source: Source, wishes: SplitWishes, earlier: dict[str, str]) -> dict[str, str]:
    if source.task != 'classification':  # whose reader tells parts from classes
        source.samples = with_ready_parts(source.samples)
    known = {sample.split for sample in source.samples}
    if len(known) > 1:
        source.notes.append('parts: as the source has them')
    elif known != {None}:
        source.samples = [replace(sample, split=None) for sample in source.samples]
        source.notes.append(f'parts: the source has {known.pop()} alone, which is divided')
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


def _write_config(text: str, folder: Path, out: Path, digest: str) -> str:
    """Write the ready config; one that was edited is kept. Returns where the new one went then."""
    name = f'{out.name}.py'
    there = out / name
    if there.is_file():
        current = there.read_bytes()
        if digest and _digest(current) != digest:
            (folder / name).write_bytes(current)
            (folder / f'{out.name}.py.new').write_text(text, encoding='utf-8')
            return str(out / f'{out.name}.py.new')
    (folder / name).write_text(text, encoding='utf-8')
    return ''
