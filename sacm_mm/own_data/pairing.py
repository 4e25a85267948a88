"""Bring pictures and what belongs to them together by their names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import find_pictures

from .samples import left_out, split_of


@dataclass
class Pairs:
    """Pictures with the files that belong to them.

    Attributes:
        found: Name, picture and partner.
        notes: How they were brought together.
        warnings: What has no partner.
    """

    found: list[tuple[str, Path, Path]]
    notes: list[str]
    warnings: list[str]


def existing_folder(path: str | Path, what: str) -> Path:
    """Return a folder as a path.

    Raises:
        UserError: It is not there, or is a file.
    """
    path = Path(path)
    if path.is_dir():
        return path
    if path.suffix.lower() in ('.zip', '.tar', '.gz', '.tgz') and path.is_file():
        raise UserError(f"{what} '{path}' is an archive: unpack it and name the folder")
    raise UserError(f"{what} folder '{path}' does not exist: name the folder that holds them")


def is_inside(path: Path, folder: Path) -> bool:
    """Tell whether a path stays in a folder: what a file names is not looked for elsewhere."""
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder))


def list_pictures(folder: Path, what: str, skip: tuple[Path, ...] = ()) -> dict[str, Path]:
    """List a folder's pictures by their names: paths in it without suffix.

    Raises:
        UserError: There are none, or two have one name.
    """
    by_name = by_own_name(folder, find_pictures(folder, skip), what)
    if not by_name:
        raise UserError(f"no {what} in '{folder}': it needs files such as .jpg, .png or .tif")
    return by_name


def by_own_name(folder: Path, paths: Iterable[Path], what: str) -> dict[str, Path]:
    """Give files of a folder their names: paths in it without suffix.

    Raises:
        UserError: Two have one name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix('').as_posix()
        if name in by_name:
            raise UserError(
                f"{what} '{by_name[name]}' and '{path}' have one name, '{name}': rename one or "
                'take it out'
            )
        by_name[name] = path
    return by_name


def pair_folders(photos: Path, partners: Path, what: str, pattern: str | None) -> Pairs:
    """Pair the pictures of two folders, either of which may be in the other; see ``pair_by_name``.

    Raises:
        UserError: One holds none, or nothing fits.
    """
    inner = (partners,) if partners.resolve().is_relative_to(photos.resolve()) else ()
    outer = (photos,) if photos.resolve().is_relative_to(partners.resolve()) else ()
    pictures = list_pictures(photos, 'photos', inner)
    return pair_by_name(pictures, list_pictures(partners, f'{what}s', outer), what, pattern)


def pair_by_name(
    pictures: dict[str, Path], partners: dict[str, Path], what: str, pattern: str | None = None
) -> Pairs:
    """Find the partner of each picture: of the same name, or of one that differs in the same way.

    Args:
        pictures: By name.
        partners: Masks or depth maps by name.
        what: What the partners are, for messages.
        pattern: How a partner is named, such as ``depth_{id}.png``, where ``{id}`` is the name of
            the picture or the number in it; None finds out.

    Raises:
        UserError: No picture has a partner, or the pattern has no ``{id}``.
    """
    if pattern is not None:
        matched, how = _by_pattern(pictures, partners, pattern)
    else:
        matched, how = _found_out(pictures, partners)
    if not matched:
        raise UserError(
            f"no {what} fits a picture by its name: '{next(iter(pictures.values()))}' and "
            f"'{next(iter(partners.values()))}'; give both the same names, or say how they differ "
            f'with --pattern, such as "{{id}}_{what.split()[0]}.png"'
        )
    found = [(name, pictures[name], partners[other]) for name, other in matched.items()]
    without = [path.name for name, path in pictures.items() if name not in matched]
    used = set(matched.values())
    alone = [path.name for name, path in partners.items() if name not in used]
    warnings = left_out('picture', without, what) + left_out(what, alone, 'picture')
    return Pairs(found, [how] if how else [], warnings)


def _by_pattern(
    pictures: dict[str, Path], partners: dict[str, Path], pattern: str
) -> tuple[dict[str, str], str]:
    if pattern.count('{id}') != 1:
        raise UserError(f"--pattern '{pattern}' must hold {{id}} once, such as depth_{{id}}.png")
    head, tail = fold_name(Path(pattern).with_suffix('').as_posix()).split('{id}')
    folded = _by_folded_name(partners)
    matched = {}
    for name in pictures:
        folder, _, stem = fold_name(name).rpartition('/')
        number = re.search(r'\d+(?!.*\d)', stem)
        for key in (stem, *([number.group()] if number else [])):
            other = folded.get('/'.join(filter(None, (folder, f'{head}{key}{tail}'))))
            if other:
                matched[name] = other
                break
    return matched, f'names: {pattern}'


def _found_out(pictures: dict[str, Path], partners: dict[str, Path]) -> tuple[dict[str, str], str]:
    folded = _by_folded_name(partners)
    same = {
        name: name if name in partners else folded[fold_name(name)]
        for name in pictures
        if name in partners or fold_name(name) in folded
    }
    best, how = same, ''
    rules = Counter(_affixes(pictures, list(folded)))
    for (drop, head, tail), _ in rules.most_common(3):
        matched = {}
        for name in pictures:
            folder, _, stem = fold_name(name).rpartition('/')
            other = f'{head}{stem.removesuffix(drop)}{tail}'
            other = folded.get('/'.join(filter(None, (folder, other))), '')
            if other and stem.endswith(drop):
                matched[name] = other
        if len(matched) > len(best):
            name, other = (path.rpartition('/')[2] for path in next(iter(matched.items())))
            best, how = matched, f"names: '{name}' and '{other}' belong together"
    if len(best) < min(len(pictures), len(partners)) / 2:
        ours, theirs = _by_number(pictures), _by_number(partners)
        numbered = {ours[key]: theirs[key] for key in ours if key in theirs}
        if len(numbered) > len(best):
            best, how = numbered, 'names: brought together by the number in them'
    return best, how


def fold_name(name: str) -> str:
    """Make names comparable that differ in case, or in how a system writes umlauts."""
    return unicodedata.normalize('NFC', name).casefold()


def _by_folded_name(partners: dict[str, Path]) -> dict[str, str]:
    """Index names by what they fold to; those that fold to the same are left out."""
    times = Counter(map(fold_name, partners))
    return {fold_name(name): name for name in partners if times[fold_name(name)] == 1}


def _affixes(pictures: dict[str, Path], others: list[str]) -> list[tuple[str, str, str]]:
    """Guess from a few pictures what is dropped from their names, and put around them."""
    stems = {name.rpartition('/')[2] for name in others}
    rules = []
    for name in list(pictures)[:20]:
        stem = fold_name(name).rpartition('/')[2]
        last = re.search(r'[_\-. ][^_\-. \d][^_\-. ]*$', stem)  # a word, as in a_leftImg8bit
        for drop in ('', *([last.group()] if last else [])):
            core = stem.removesuffix(drop)
            if len(core) < 1:
                continue
            for other in stems:
                if other != stem and core in other:
                    head, _, tail = other.partition(core)
                    # a digit beside it would be another picture: 1 in 10
                    if not (head[-1:].isdigit() or tail[:1].isdigit()):
                        rules.append((drop, head, tail))
            if rules:
                break
    return rules


def _by_number(names: dict[str, Path]) -> dict[tuple[str, int], str]:
    """Index names by their last number, such as ``rgb_012`` by 12, where it occurs once."""
    by_key: dict[tuple[str, int], str] = {}
    twice = set()
    for name in names:
        folder, _, stem = name.rpartition('/')
        found = re.findall(r'\d+', stem)
        if not found:
            continue
        key = (folder, int(found[-1]))
        if key in by_key:
            twice.add(key)
        by_key[key] = name
    return {key: name for key, name in by_key.items() if key not in twice}


def without_split(name: str) -> str:
    """Take the folder that names the part out of a name: ``train/a`` -> ``a``."""
    folders = name.split('/')
    kept = [f for i, f in enumerate(folders) if i > 1 or i == len(folders) - 1 or not split_of(f)]
    return '/'.join(kept)
