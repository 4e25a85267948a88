"""Read pictures in folders that are named after their classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import find_pictures

from .categories import Wishes, place_of
from .class_names import spread_colours
from .pairing import existing_folder
from .samples import Category, Sample, Source, count, listed, split_of
from .splitting import refuse_beside_parts


def read_classes(folder: Path, wishes: Wishes) -> Source:
    """Read ``FOLDER/CLASS/*`` or ``FOLDER/{train,val,test}/CLASS/*``.

    Args:
        folder: What holds the classes, or the parts.
        wishes: What the user wants of the classes; those that are named are all there are.

    Raises:
        UserError: There are fewer than two classes, or a folder that is none of the named ones.
    """
    existing_folder(folder, 'classes')
    outer: dict[str, list[Path]] = defaultdict(list)  # what is in each folder of the folder
    loose: list[str] = []
    for path in find_pictures(folder):
        name, *rest = path.relative_to(folder).parts
        if rest:
            outer[name].append(Path(*rest))
        else:
            loose.append(name)
    splits = _parts(outer)
    found: list[tuple[str, Path, str | None]] = []
    for name, paths in outer.items():
        for path in paths:
            label = path.parts[0] if splits else name
            if splits and len(path.parts) == 1:
                loose.append(path.name)
            else:
                found.append((label, folder / name / path, splits.get(name)))
    names = [name for name, _ in wishes.named] or sorted({name for name, _, _ in found})
    _check(folder, names, {name for name, _, _ in found}, loose)
    classes = list(wishes.earlier)
    for name, colour in zip(names, spread_colours(len(names))):
        place_of(Category(name, colour, name), classes)
    numbers = {category.code: place for place, category in enumerate(classes)}
    samples = [
        Sample(path.relative_to(folder).as_posix(), path, label=numbers[name], split=split)
        for name, path, split in found
    ]
    warnings = []
    if loose:
        warnings.append(
            f'{count(len(loose), "picture is", "pictures are")} in no class folder, and left out: '
            f'{listed(loose)}'
        )
    warnings += [] if splits else _doubts(outer)
    empty = [name for name in names if not any(name == other for other, _, _ in found)]
    if empty:
        warnings.append(f'classes without a picture: {listed(empty)}')
    return Source('classification', samples, classes, [f'classes: {listed(names, 8)}'], warnings)


def _parts(outer: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Tell the folders that are parts, which hold those of the classes; a class may be 'train'."""
    inner = _folders_in(outer)
    splits = {name: part for name in outer if (part := split_of(name)) and inner[name]}
    if 'train' not in splits.values() or (len(splits) == 1 < len(outer)):
        return {}
    refuse_beside_parts([name for name in outer if name not in splits])
    return splits


def _doubts(outer: Mapping[str, Sequence[Path]]) -> list[str]:
    """Say where folders look like parts by what is in them, whatever their names."""
    same = set.intersection(*_folders_in(outer).values())
    if len(outer) < 2 or len(same) < 2:
        return []
    return [
        f'classes {listed(list(outer))} hold the same folders, {listed(sorted(same))}, as parts '
        "do, which are named 'train', 'val' and 'test'"
    ]


def _folders_in(outer: Mapping[str, Sequence[Path]]) -> dict[str, set[str]]:
    return {
        name: {path.parts[0] for path in paths if len(path.parts) > 1}
        for name, paths in outer.items()
    }


def _check(folder: Path, names: list[str], found: set[str], loose: list[str]) -> None:
    if not found:
        where = f', but {len(loose)} pictures outside of class folders' if loose else ''
        raise UserError(
            f"no class folders with pictures in '{folder}'{where}: it needs one folder a class"
        )
    unknown = sorted(found - set(names))
    if unknown:
        raise UserError(
            f"folder '{unknown[0]}' in '{folder}' is none of the classes {listed(names, 8)}: "
            'name it in --classes or move it'
        )
    if len(names) < 2:
        raise UserError(
            f"'{folder}' has the one class '{names[0]}': there is nothing to tell apart; name the "
            'folder above, which holds the classes'
        )
