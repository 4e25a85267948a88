"""``check``: look at every file of a data set and say what is wrong, and what looks odd."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.datasets import dataset_file

from .findings import DOUBT, WRONG, ClassRow, Report
from .looks import Look, look_at_all
from .overlays import show_pictures
from .pairing import without_split
from .samples import SPLITS, Category, count, listed
from .splitting import FRAME_GROUP, frames_by_recording
from .statistics import Facts, neighbours_alike, same_content

_FEW = 20  # pictures; fewer teach little
_RARE = 0.001  # share of the pixels
_MUCH_IGNORED = 0.5
_MUCH_FARTHEST = 0.002
_SOURCE = "if that is not meant, mend the source and run 'sacm data' again"
_NEAR_M, _FAR_M = 0.4, 200.0  # a median of depth that people photograph


def check(folder: str | Path) -> Report:
    """Check a data set that ``sacm data`` wrote, and that people may have changed since.

    Raises:
        UserError: The folder is no data set, or its ``dataset.yaml`` cannot be read.
    """
    folder = Path(folder)
    content = dataset_file.read_dataset_file(folder)
    classes = dataset_file.categories(content, folder / dataset_file.NAME)
    report = Report(folder.name, content['task'], {}, origin=content.get('source') or {})
    report.notes = [str(note) for note in content.get('found') or ()]
    looks = look_at_all(folder, content, classes)
    report.counts = {part: sum(look.part == part for look in looks) for part in SPLITS}
    for warning in content.get('warnings') or ():
        report.add(DOUBT, str(warning), _SOURCE)
    _say_problems(report, looks, folder)
    good = [look for look in looks if look.facts is not None]
    _say_parts(report, content)
    if good:
        _say_sizes(report, content, good)
        facts = [look.facts for look in good]
        parts = {look.facts.name: look.part for look in good}
        _say_twins(report, facts, parts)
        if report.task != 'classification':
            _say_torn_recordings(report, facts, parts)
    if classes:
        _say_classes(report, classes, good)
    if report.task == 'segmentation':
        _say_ignored(report, classes, good)
    if report.task == 'depth':
        _say_depth(report, content, good)
    _say_config(report, folder, classes)
    report.findings.sort(key=lambda finding: finding.level != WRONG)
    show_pictures(report, [look for look in good if not look.problem], classes, content)
    return report


def _say_problems(report: Report, looks: Sequence[Look], folder: Path) -> None:
    by_fix: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for look in looks:
        if look.problem:
            what, fix = look.problem
            by_fix[fix].append((what, look.path))
    for fix, same in by_fix.items():
        report.add(WRONG, same[0][0], fix, [path for _, path in same])
    sub = {'segmentation': 'masks', 'depth': 'depth'}.get(report.task)
    if sub:
        known = {look.truth for look in looks}
        broken = {look.path.stem for look in looks if look.truth is None}
        found = sorted((folder / sub).rglob('*.png'))
        alone = [path for path in found if path not in known and path.stem not in broken]
        if alone:
            report.add(DOUBT, f"'{alone[0]}' has no picture", 'add it, or remove the file', alone)


def _say_parts(report: Report, content: dict[str, Any]) -> None:
    for part in ('train', 'val'):
        if not report.counts[part]:
            report.add(WRONG, f'there are no pictures for {part}', "run 'sacm data' again")
    said = {
        'train': ('to train', 'add more for a usable model', _FEW),
        'val': ('to validate', 'its figures say little', 5),
        'test': ('to test', 'its figures say little', 5),
    }
    for part, (what, fix, enough) in said.items():
        if 0 < report.counts[part] < enough:
            report.add(DOUBT, f'only {count(report.counts[part], "picture")} {what}', fix)
    missing = {p: n - report.counts[p] for p, n in content['counts'].items() if n}
    missing = {part: number for part, number in missing.items() if number}
    if missing:
        part, number = next(iter(missing.items()))
        change = 'fewer' if number > 0 else 'more'
        fix = '' if number > 0 else 'move them to the source, with what belongs to them, and '
        report.add(
            DOUBT, f'{part} has {abs(number)} pictures {change} than dataset.yaml says',
            f"{fix}run 'sacm data' again, so that statistics and config fit",
        )  # fmt: skip


def _say_sizes(report: Report, content: dict[str, Any], looks: Sequence[Look]) -> None:
    sizes = Counter(look.facts.size[::-1] for look in looks)
    (w, h), often = sizes.most_common(1)[0]
    text = f'{w}x{h}'
    if len(sizes) > 1:
        text += f' in {often} of {len(looks)}; {len(sizes)} sizes'
    report.facts.append(('size', text))
    wanted = content['pictures']
    report.facts.append(('channels', f'{wanted["channels"]}, {wanted["dtype"]}'))
    areas = [w * h for w, h in sizes]
    if max(areas) > 16 * min(areas):
        small = min(looks, key=lambda k: k.facts.size[0] * k.facts.size[1])
        report.add(
            DOUBT, f"pictures differ much in size, such as '{small.path}'",
            'objects of one kind should be about as large in all of them', [small.path],
        )  # fmt: skip


def _say_twins(report: Report, facts: list[Facts], parts: dict[str, str]) -> None:
    pairs = same_content(facts, parts)
    if pairs:
        (a, b), *_ = pairs
        report.add(
            DOUBT, f"'{a}' and '{b}' are the same picture in two parts",
            'take one out, or figures are better than they are', [b for _, b in pairs],
        )  # fmt: skip


def _say_torn_recordings(report: Report, facts: list[Facts], parts: dict[str, str]) -> None:
    facts = sorted(facts, key=lambda fact: without_split(fact.name))
    recordings = frames_by_recording([fact.name for fact in facts])
    if recordings:
        several = [key for key, names in recordings.items() if len({parts[n] for n in names}) > 1]
        torn, group = bool(several), FRAME_GROUP
        what = f'names look like frames of recordings: those of {listed(several)} are in two parts'
    else:
        torn, group = neighbours_alike(facts, parts), '(.*)_.*'
        what = 'pictures whose names follow each other look alike, and are in two parts'
    if torn:
        report.add(
            DOUBT, what, 'frames of one recording in training and validation make figures better '
            f"than they are; keep them together with --group '{group}'",
        )  # fmt: skip


def _say_classes(report: Report, classes: list[Category], looks: Sequence[Look]) -> None:
    pixels: Counter[int] = Counter()
    held: dict[int, Counter[str]] = defaultdict(Counter)
    for look in looks:
        for value, number in look.facts.pixels.items():
            if value != IGNORE_INDEX:
                pixels[value] += number
                held[value][look.part] += 1
    every = max(sum(pixels.values()), 1)
    parts = [part for part in SPLITS if report.counts[part]]
    for number, category in enumerate(classes):
        report.classes.append(
            ClassRow(
                category.name, category.hex, pixels[number] / every,
                {part: held[number][part] for part in parts},
            )
        )  # fmt: skip
    never = [c.name for i, c in enumerate(classes) if not pixels[i]]
    if never:
        report.add(
            DOUBT, f"class '{never[0]}' never occurs" if len(never) == 1 else
            f'{len(never)} classes never occur: {listed(never, 4)}',
            'their scores will be nan; take them out of the classes, or add pictures',
        )  # fmt: skip
    for part in parts:
        lacking = [c.name for i, c in enumerate(classes) if pixels[i] and not held[i][part]]
        if lacking:
            why = 'it cannot be learned' if part == 'train' else 'it cannot be scored'
            report.add(
                DOUBT, f"class '{lacking[0]}' is in no picture of {part}"
                + (f', and {len(lacking) - 1} more' if len(lacking) > 1 else ''),
                f'{why}: add pictures, or another --seed of the split',
            )  # fmt: skip
    rare = [c.name for i, c in enumerate(classes) if 0 < pixels[i] < _RARE * every]
    if rare and report.task == 'segmentation':
        report.add(
            DOUBT, f"class '{rare[0]}' covers less than {_RARE:.1%} of the pixels",
            'look at its pictures on the page; it needs weights or more of them',
        )  # fmt: skip


def _say_ignored(report: Report, classes: list[Category], looks: Sequence[Look]) -> None:
    ignored = sum(look.facts.pixels.get(IGNORE_INDEX, 0) for look in looks)
    every = sum(sum(look.facts.pixels.values()) for look in looks)
    if not ignored or not every:
        return
    report.facts.append(('ignored (255)', f'{ignored / every:.2%} of the pixels'))
    seen = {value for look in looks for value in look.facts.pixels if value != IGNORE_INDEX}
    if len(seen) < 2:
        name = classes[next(iter(seen))].name if seen else 'nothing'
        report.add(
            WRONG, f"masks hold '{name}' and 255, which is ignored: 255 looks like a class",
            "masks of 0 and 255 go through 'sacm data folder', which makes 255 a class",
        )  # fmt: skip
    elif ignored > _MUCH_IGNORED * every:
        report.add(
            DOUBT, f'{ignored / every:.0%} of the pixels are 255, which is ignored',
            'is it a class? nothing is learned there',
        )  # fmt: skip


def _say_depth(report: Report, content: dict[str, Any], looks: Sequence[Look]) -> None:
    ranges = [look.facts.depths for look in looks if look.facts.depths]
    valid = [r for r in ranges if r[3] > 0]
    bare = [look.path for look in looks if look.facts.depths[3:] == (0,)]
    if bare:
        report.add(DOUBT, f"'{bare[0]}' has no valid depth", 'take it out', bare)
    if not valid:
        report.add(WRONG, 'no depth map holds a valid depth', 'look at the unit and the files')
        return
    metric = content['depth']['metric']
    unit = 'm' if metric else 'pixels of disparity'
    near, far = min(r[0] for r in valid), max(r[2] for r in valid)
    median = float(np.median([r[1] for r in valid]))
    report.facts.append(('depth', f'{near:.3g} to {far:.3g} {unit}, median {median:.3g}'))
    report.facts.append(('valid depth', f'{np.mean([r[3] for r in ranges]):.1%} of the pixels'))
    if metric and not _NEAR_M <= median <= _FAR_M:
        factor = '--unit m or mm' if median > _FAR_M else '--unit m or cm'
        report.add(
            DOUBT, f'the median depth is {median:.3g} m, which few cameras see',
            f"is the unit off by a factor? run 'sacm data' again with {factor}",
        )  # fmt: skip
    farthest = max(look.farthest[0] for look in looks)
    share = sum(look.farthest[1] for look in looks if look.farthest[0] == farthest)
    share /= len(ranges)
    if share > _MUCH_FARTHEST:
        report.add(
            DOUBT, f'{share:.1%} of the pixels have the largest depth, {farthest:.4g} {unit}',
            "if it stands for 'not measured', or for all that is farther, write 0 there",
        )  # fmt: skip
    if np.mean([r[3] for r in ranges]) < 0.05:
        report.add(DOUBT, 'less than 5 % of the pixels have a depth', 'training needs long')


def _say_config(report: Report, folder: Path, classes: list[Category]) -> None:
    from sacm_mm.core.configs import read_config
    from sacm_mm.datasets.meta import count_classes

    path = folder / f'{folder.name}.py'
    if not path.is_file():
        report.add(DOUBT, f"the ready config '{path}' is gone", "run 'sacm data' again")
        return
    try:
        cfg = read_config(path)
    except UserError as error:
        report.add(WRONG, f"config '{path}' does not load", str(error), [path])
        return
    number = count_classes(cfg.model)
    if classes and number is not None and number != len(classes):
        report.add(
            WRONG, f"config '{path}' has num_classes={number}, dataset.yaml has {len(classes)}",
            f'set num_classes={len(classes)}', [path],
        )  # fmt: skip
