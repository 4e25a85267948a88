"""Split samples into parts: stable when files are added, and whole recordings in one part."""

from __future__ import annotations

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.folds import group_pattern, place_of

from .pairing import without_split
from .samples import SPLITS, Sample, count, listed, split_of


@dataclass(frozen=True)
class SplitWishes:
    """How to split.

    Attributes:
        shares: Of train, val and test; they are normed.
        seed: Changes who goes where.
        group: Pattern whose first group names the recording of a picture; all its pictures go to
            one part.
    """

    shares: tuple[float, float, float] = (80, 10, 10)
    seed: int = 0
    group: str | None = None


def parse_shares(text: str) -> tuple[float, float, float]:
    """Read ``--split 80,10,10``; the last may be left out.

    Raises:
        UserError: It is not two or three numbers with a positive first and second.
    """
    try:
        shares = [float(part) for part in text.split(',')]
    except ValueError:
        shares = []
    if len(shares) == 2:
        shares.append(0.0)
    finite = all(math.isfinite(share) for share in shares)
    if len(shares) != 3 or not finite or min(shares) < 0 or shares[0] <= 0 or shares[1] <= 0:
        raise UserError(f"--split '{text}' is no split: give shares of train, val, test: 80,10,10")
    return shares[0], shares[1], shares[2]


def with_ready_parts(samples: Sequence[Sample]) -> list[Sample]:
    """Take the parts that a source has: those that its reader found, or that its folders name.

    Returns:
        The samples, each with its part, or all without one.

    Raises:
        UserError: Some are in parts, and others are not.
    """
    if any(sample.split for sample in samples):
        refuse_beside_parts([sample.name for sample in samples if not sample.split])
        return list(samples)
    ready = ready_splits([sample.name for sample in samples])
    return [replace(sample, split=ready.get(sample.name)) for sample in samples]


def ready_splits(names: Sequence[str]) -> dict[str, str]:
    """Tell the parts of names whose first or second folder is one, such as ``train/a``.

    Returns:
        The part of each name; empty unless there is one for training and another one.

    Raises:
        UserError: Some are in parts, and others beside them.
    """
    for level in (0, 1):
        parts = {}
        for name in names:
            folders = name.split('/')[:-1]
            part = split_of(folders[level]) if len(folders) > level else None
            if part:
                parts[name] = part
        if {'train'} < set(parts.values()):
            refuse_beside_parts([name for name in names if name not in parts])
            return parts
    return {}


def refuse_beside_parts(others: Sequence[str]) -> None:
    """Refuse what is beside the parts: it could be of any, and all would be divided anew."""
    if others:
        raise UserError(
            f'beside the parts of the source there is {listed(others)}: move it into train, val or '
            'test, which are folders, or subsets of tasks of CVAT, or take it out'
        )


def split_samples(
    samples: Sequence[Sample], wishes: SplitWishes, earlier: Mapping[str, str]
) -> dict[str, str]:
    """Decide the part of each sample.

    The part follows from a hash of the name, so that adding files moves no other; parts that the
    source has are kept, and so are those of an earlier run.

    Args:
        samples: All samples.
        wishes: How to split.
        earlier: Parts by name, of an earlier run with the same wishes.

    Returns:
        The part of each name.

    Raises:
        UserError: There are too few samples or groups, the pattern of the groups fits none, or the
            source has parts of its own, for which wishes have no effect.
    """
    if all(sample.split for sample in samples):
        if replace(wishes, group=None) != SplitWishes():  # folds will follow the groups
            raise UserError(
                'the source says itself what is for train, val and test: leave out --split and '
                '--seed'
            )
        return _kept(samples)
    groups = _groups(samples, wishes.group)
    if len(groups) < 2:
        many = count(len(samples), 'picture')
        raise UserError(
            f'--group {wishes.group} puts all {many} in one group: training and validation need '
            'two, add pictures or change --group'
            if wishes.group
            else f'there is {many}: training and validation need two, add pictures'
        )
    parts: dict[str, str] = {}
    places = {key: place_of(f'{wishes.seed}:{key}') for key in groups}
    total = sum(wishes.shares)
    bounds = (wishes.shares[0] / total, (wishes.shares[0] + wishes.shares[1]) / total)
    for key, members in groups.items():
        place = places[key]
        part = SPLITS[0] if place < bounds[0] else SPLITS[1] if place < bounds[1] else SPLITS[2]
        part = next((earlier[name] for name in members if name in earlier), part)
        parts[key] = part
    _fill_empty(parts, places, wishes.shares)
    return {name: parts[key] for key, members in groups.items() for name in members}


def _kept(samples: Sequence[Sample]) -> dict[str, str]:
    parts = {sample.name: sample.split or 'train' for sample in samples}
    if 'train' not in parts.values():
        raise UserError('no picture is for training: a folder or list of train is missing')
    if 'val' in parts.values():
        return parts
    # what is held out is looked at while training too
    return {name: 'val' if part == 'test' else part for name, part in parts.items()}


def _groups(samples: Sequence[Sample], pattern: str | None) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    if pattern is None:
        return {sample.name: [sample.name] for sample in samples}
    compiled = group_pattern(pattern)
    for sample in samples:
        found = compiled.fullmatch(without_split(sample.name)) or compiled.match(sample.name)
        if not found:
            raise UserError(f"--group '{pattern}' does not fit the name '{sample.name}': widen it")
        groups[found.group(1)].append(sample.name)
    return dict(groups)


def _fill_empty(
    parts: dict[str, str], places: Mapping[str, float], shares: tuple[float, float, float]
) -> None:
    """Give small sets something to validate on, and to train on: the groups next to the bounds."""
    by_place = sorted(parts, key=lambda key: places[key])
    if 'train' not in parts.values():
        parts[by_place[0]] = 'train'
    wanted = ['val', *(['test'] if shares[2] and len(parts) >= 20 else [])]
    for part in wanted:
        if part not in parts.values():
            train = [key for key in by_place if parts[key] == 'train']
            spare = [key for key in by_place if parts[key] == 'test'] if part == 'val' else []
            if len(train) > 1 or spare:
                parts[train[-1] if len(train) > 1 else spare[0]] = part


FRAME_GROUP = r'(.*?)\d+\D*'  # for --group: a recording is what stands before the number
_FRAME = re.compile(r'^(.*?)(\d+)\D*$')


def frames_by_recording(names: Collection[str]) -> dict[str, list[str]]:
    """Group names that look like frames by their recordings; empty where they look like none.

    They do where several beginnings are each followed by at least three numbers in steps that are
    mostly the same.
    """
    by_head: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        if found := _FRAME.match(without_split(name)):
            by_head[found.group(1)].append((int(found.group(2)), name))
    recordings = 0
    framed = 0
    for frames in by_head.values():
        numbers = sorted(number for number, _ in frames)
        steps = [b - a for a, b in itertools.pairwise(numbers)]
        if len(steps) < 2:
            continue
        usual = max(set(steps), key=steps.count)
        if steps.count(usual) >= 0.6 * len(steps):
            recordings += 1
            framed += len(numbers)
    if recordings < 2 or framed < 0.7 * len(names):
        return {}
    return {head: [name for _, name in frames] for head, frames in by_head.items()}
