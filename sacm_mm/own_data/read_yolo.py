"""Read YOLO's polygons: a text file of lines ``class x1 y1 x2 y2 ...`` for each photo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sacm_mm.core.configs import as_list
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.dataset_file import load_yaml
from sacm_mm.datasets.picture_files import find_files, find_pictures

from .categories import Wishes
from .class_names import read_name_lines, read_palette_file
from .pairing import existing_folder
from .samples import SPLITS, Sample, Source, count, left_out, listed
from .shapes import DrawnMask, Shape, check_ring, finish_shapes, rectangle
from .splitting import ready_splits

_NAME_FILES = ('data.yaml', 'dataset.yaml', 'data.yml', 'obj.names', 'classes.txt', 'labels.txt')
_NO_LABELS = frozenset(('classes.txt', 'labels.txt', 'train.txt', 'val.txt', 'test.txt',
                        'readme.txt', 'readme.roboflow.txt', 'readme.dataset.txt'))  # fmt: skip


def read_yolo(folder: Path, photos: Path | None, wishes: Wishes) -> Source:
    """Read a folder as Ultralytics lays it out, or photos and text files side by side.

    Args:
        folder: What holds ``images`` and ``labels``, in either order with train and val.
        photos: Folder of the photos where they are elsewhere.
        wishes: What the user wants of the classes.

    Raises:
        UserError: Something is missing or not YOLO's polygons; the message names file and line.
    """
    existing_folder(folder, 'YOLO')
    names = _names(folder, wishes)
    place = photos or folder
    pictures = find_pictures(existing_folder(place, 'photos'))
    if not pictures:
        raise UserError(f"no photos in '{place}': name their folder second")
    texts = {_key(p, folder): p for p in find_files(folder, ('.txt',))
             if p.name.lower() not in _NO_LABELS}  # fmt: skip
    if not texts:
        raise UserError(f"no label files (.txt) in '{folder}': it needs one for each photo")
    samples, bare = [], []
    boxes = 0
    used = set()
    for picture in pictures:
        key = _key(picture, place)
        text = texts.get(key)
        if text is None:
            bare.append(picture.name)
            continue
        used.add(key)
        shapes, without = _read_lines(text, names, wishes.boxes)
        boxes += without
        mask = DrawnMask(shapes, None, str(text), relative=True)
        samples.append(Sample(key, picture, mask))
    if not samples:
        raise UserError(
            f"no label file fits a photo by its name: '{pictures[0]}' and "
            f"'{next(iter(texts.values()))}'; give both the same names"
        )
    if not ready_splits([sample.name for sample in samples]):
        parts = _parts(folder, samples)
        samples = [replace(sample, split=parts.get(sample.name)) for sample in samples]
    notes = [f'YOLO: {count(len(samples), "photo")} with labels']
    source = finish_shapes(samples, [names[key] for key in sorted(names)], wishes, notes)
    for warning in left_out('photo', bare, 'label file'):
        source.warnings.append(f'{warning}; an empty file says that there is nothing in it')
    alone = [texts[key].name for key in texts if key not in used]
    source.warnings += left_out('label file', alone, 'photo')
    if boxes:
        source.warnings.append(
            f'{count(boxes, "line is a box", "lines are boxes")}, not a polygon, and left out: '
            '--boxes takes boxes for areas'
        )
    return source


def _key(path: Path, folder: Path) -> str:
    """Return what a photo and its labels share: the path without images, labels and suffix."""
    parts = path.relative_to(folder).with_suffix('').parts
    kept = [p for p in parts[:-1] if p.lower() not in ('images', 'labels', 'obj_train_data')]
    return '/'.join((*kept, parts[-1]))


def _names(folder: Path, wishes: Wishes) -> dict[int, str]:
    file = _name_file(folder) or _name_file(folder.parent)
    if file:
        if file.suffix not in ('.yaml', '.yml'):
            names = read_name_lines(file)
        else:
            names = {number: name for number, (name, _) in enumerate(read_palette_file(file))}
        if not names:
            raise UserError(f"'{file}' names no classes: write those of the numbers in the labels")
        return names
    if wishes.named:
        return {number: name for number, (name, _) in enumerate(wishes.named)}
    raise UserError(
        f"'{folder}' has no data.yaml or classes.txt: the numbers in the labels need names, give "
        'them with --classes'
    )


def _name_file(folder: Path) -> Path | None:
    return next((folder / name for name in _NAME_FILES if (folder / name).is_file()), None)


def _parts(folder: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """Read the parts that ``data.yaml`` names by folders or lists, whatever they are called.

    Raises:
        UserError: It names parts that are not there, or that leave photos out or overlap.
    """
    file = _name_file(folder)
    if file is None or file.suffix not in ('.yaml', '.yml'):
        return {}
    content = load_yaml(file.read_text(encoding='utf-8-sig'))
    named = {part: content.get(part) for part in SPLITS if isinstance(content, Mapping)}
    if not (named.get('train') and named.get('val')) or named['train'] == named['val']:
        return {}  # Ultralytics' samples validate on what they train on
    roots = (folder / str(content.get('path') or '.'), folder)
    parts: dict[str, str] = {}
    for part, entries in named.items():
        for entry in as_list(entries):
            for name in _named_by(f"'{part}: {entry}' of '{file}'", roots, str(entry), samples):
                if parts.setdefault(name, part) != part:
                    raise UserError(
                        f"'{file}' has '{name}' in {parts[name]} and in {part}: choose one, or "
                        'take train, val and test out of it, to have all divided anew'
                    )
    if others := [sample.name for sample in samples if sample.name not in parts]:
        raise UserError(
            f"'{file}' has {listed(others)} in no part: add them to train, val or test, or take "
            'these three out of it, to have all divided anew'
        )
    return parts


def _named_by(
    what: str, roots: Sequence[Path], entry: str, samples: Sequence[Sample]
) -> Iterator[str]:
    """List the samples in a folder, or those that a file lists."""
    places = [root / name for root in roots for name in (entry, entry.removeprefix('../'))]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise UserError(f'{what} is not there: mend it, or take train, val and test out')
    if place.is_dir():
        known = place.resolve()
        yield from (s.name for s in samples if s.picture.resolve().is_relative_to(known))
    else:
        try:
            text = place.read_text('utf-8-sig').replace('\\', '/')
            lines = [line.strip() for line in text.splitlines()]
            paths = {(root / line).resolve() for root in (place.parent, *roots) for line in lines}
        except ValueError as error:
            raise UserError(f'{what} is no folder and no list of photos: mend it') from error
        names = {Path(line).name for line in lines}
        found = [s.name for s in samples if s.picture.resolve() in paths]
        # lists that were written elsewhere name folders of that machine
        yield from found or (s.name for s in samples if s.picture.name in names)


def _read_lines(path: Path, names: Mapping[int, str], boxes: bool) -> tuple[list[Shape], int]:
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read labels '{path}': replace the file or take it out") from error
    shapes, without = [], 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        what = f"line {number} of '{path}'"
        try:
            number_of_class, *values = np.array(words, np.float64)
        except ValueError as error:
            raise UserError(f'{what} is not "class x1 y1 x2 y2 ...": mend it') from error
        label = names.get(number_of_class)  # 0.0 finds 0, as some tools write it
        if label is None:
            raise UserError(f'{what} is of class {words[0]}, but the names are 0 to {max(names)}')
        outside = [value for value in values if not -0.01 <= value <= 1.01]
        if outside:
            raise UserError(
                f'{what} holds {outside[0]:g}: positions are shares of width and height, 0 to 1'
            )
        if len(values) == 4:
            if boxes:
                x, y, w, h = values
                ring = rectangle(x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                shapes.append(Shape(label, (ring,)))
            else:
                without += 1
            continue
        if len(values) % 2:
            raise UserError(f'{what} has {len(values)} numbers after the class: they come in pairs')
        shapes.append(Shape(label, (check_ring(values, what),)))
    return shapes, without
