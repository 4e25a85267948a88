"""Read pictures in folders that are named after their classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import find_pictures

from .categories import place_of
from .class_names import Colour, spread_colours
from .pairing import existing_folder
from .samples import Category, Sample, Source, count, listed, split_of


def read_classes(
    folder: Path,
    named: Sequence[tuple[str, Colour | None]] = (),
    earlier: Sequence[Category] = (),
) -> Source:
    """Read ``FOLDER/CLASS/*`` or ``FOLDER/{train,val,test}/CLASS/*``.

    Args:
        folder: What holds the classes, or the parts.
        named: The classes in the order of their numbers; empty takes the folders by name.
        earlier: Classes of the data set that is written anew.

    Raises:
        UserError: There are fewer than two classes, or a folder that is none of the named ones.
    """
    existing_folder(folder, 'classes')
    parts = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith('.')]
    splits = {p: split_of(p.name) for p in parts}
    ready = bool(parts) and all(splits.values()) and 'train' in splits.values()
    roots = [(p, splits[p]) for p in parts] if ready else [(folder, None)]
    found: list[tuple[str, Path, str | None]] = []
    loose: list[str] = []
    for root, split in roots:
        for path in find_pictures(root):
            inner = path.relative_to(root)
            if len(inner.parts) == 1:
                loose.append(path.name)
            else:
                found.append((inner.parts[0], path, split))
    names = [name for name, _ in named] or sorted({name for name, _, _ in found})
    _check(folder, names, {name for name, _, _ in found}, loose)
    classes = list(earlier)
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
    empty = [name for name in names if not any(name == other for other, _, _ in found)]
    if empty:
        warnings.append(f'classes without a picture: {listed(empty)}')
    return Source('classification', samples, classes, [f'classes: {listed(names, 8)}'], warnings)


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
