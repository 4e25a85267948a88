"""Groups of pictures that stay together, and their fair division into folds."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from sacm_mm.core.errors import UserError


def place_of(text: str) -> float:
    """Give a text its place between 0 and 1, always the same, and unlike those of its likes."""
    digest = hashlib.sha256(text.encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:8], 'big') / 2**64


def group_pattern(pattern: str) -> re.Pattern:
    """Read the pattern whose first group names the recording of a picture.

    Raises:
        UserError: It is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group '{pattern}' is no regular expression: {error}") from error
    if compiled.groups < 1:
        raise UserError(f"--group '{pattern}' has no group in parentheses: write (.*)_\\d+")
    return compiled


def folds_of(
    names: Sequence[str],
    folds: int,
    seed: int = 0,
    group: str | None = None,
    labels: Sequence[str] | Sequence[int] | None = None,
) -> list[int]:
    """Divide pictures into folds of the same size, from 1 on.

    Args:
        names: Of the pictures; their order does not matter.
        folds: How many.
        seed: Changes who goes where.
        group: Pattern whose first group names the recording; all its pictures go to one fold.
        labels: Classes of the pictures, of which each fold gets its share.

    Returns:
        The fold of each picture.

    Raises:
        UserError: There are fewer groups than folds, or the pattern does not fit a name.
    """
    compiled = group_pattern(group) if group else None
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        found = (compiled.fullmatch(name) or compiled.match(name)) if compiled else None
        if compiled and not found:
            raise UserError(f"--group '{group}' does not fit the name '{name}': widen it")
        members[found.group(1) if found else name].append(index)
    if len(members) < folds:
        what = f"recordings by --group '{group}'" if group else 'pictures'
        raise UserError(f'--folds {folds} needs {folds} {what} or more: there are {len(members)}')
    whole = [0] * folds
    by_label: dict[str | int, list[int]] = defaultdict(lambda: [0] * folds)
    chosen = [0] * len(names)
    # long recordings first, so that short ones fill up what they leave
    for key in sorted(members, key=lambda key: (-len(members[key]), place_of(f'{seed}:{key}'))):
        filled = by_label[labels[members[key][0]] if labels else 0]
        fold = min(range(folds), key=lambda fold: (filled[fold], whole[fold]))
        for index in members[key]:
            chosen[index] = fold + 1
        filled[fold] += len(members[key])
        whole[fold] += len(members[key])
    return chosen
