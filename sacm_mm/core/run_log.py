"""The one reader of mmengine's logs: the text log, and the scalars of ``LocalVisBackend``."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sacm_mm.core.errors import UserError
from sacm_mm.core.machine import STAMP

SCALARS = Path('vis_data/scalars.json')
COUNTERS = ('step', 'iter', 'epoch')
SPEEDS = ('time', 'data_time')  # of validation, under the names of training
_TIME = re.compile(r'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d')
# what compact logs consist of: the stamp, the seed, the figures and their tables
_TELLS = re.compile(
    re.escape(STAMP) + r'|^\s+seed: \d+$|Iter\((train|val|test)\)|Epoch\(|^[|+]|depth by protocol'
)


@dataclass
class Curve:
    """One scalar of one run.

    Attributes:
        unit: What its steps count, ``'iteration'`` or ``'epoch'``.
        training: Logged while training, and not by validation.
        points: Value of each step, in order.
    """

    unit: str
    training: bool
    points: dict[int, float] = field(default_factory=dict)


def newest_log(work_dir: Path) -> Path:
    """Return the newest text log of a work dir; its folder also holds the scalars.

    Raises:
        UserError: There is none.
    """
    logs = sorted(work_dir.glob('*/*.log'))
    if not logs:
        raise UserError(f"no log in '{work_dir}': give the work dir of a run that has ended")
    return logs[-1]


def read_log(log: Path) -> dict[str, Any]:
    """Read a run's stamp, its seed and the seconds from its first to its last line."""
    text = log.read_text(encoding='utf-8', errors='replace')
    found = re.search(re.escape(STAMP) + r'(\{.*\})', text)
    seed = re.search(r'^\s+seed: (\d+)$', text, re.MULTILINE)
    return {
        'stamp': json.loads(found.group(1)) if found else None,
        'seed': int(seed.group(1)) if seed else None,
        'seconds': _seconds(text.splitlines()),
    }


def _seconds(lines: Sequence[str]) -> int | None:
    times = [m.group() for m in map(_TIME.match, lines) if m]
    if not times:
        return None
    first, last = (datetime.strptime(t, '%Y/%m/%d %H:%M:%S') for t in (times[0], times[-1]))
    return int((last - first).total_seconds())


def compact_log(text: str) -> list[str]:
    """Choose the lines of a log that a figure, a time or the code can be read from."""
    lines = text.splitlines()
    timed = [i for i, line in enumerate(lines) if _TIME.match(line)]
    ends = {timed[0], timed[-1]} if timed else set()
    return [line for i, line in enumerate(lines) if i in ends or _TELLS.search(line)]


def figures_of(log: Path) -> dict[str, Any]:
    """Read the figures that mmengine's LoggerHook writes beside the log of a test.

    Raises:
        UserError: There are none.
    """
    path = log.with_suffix('.json')
    if not path.is_file():
        raise UserError(f"'{path}' does not exist: that test did not end")
    return json.loads(path.read_text(encoding='utf-8'))


def class_figures_file(log: Path) -> Path:
    """Return where the figures of each class are kept beside the log of a test."""
    return log.with_name(f'{log.stem}_classes.json')


def class_figures_of(log: Path) -> dict[str, dict[str, float]]:
    """Read the figures of each class of a test, such as ``{'IoU': {'sky': 92.1}}``; {} for none."""
    path = class_figures_file(log)
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}


def read_scalars(path: Path) -> dict[str, Curve]:
    """Read the scalars of a run.

    A resumed run has one folder for each start: from its first step on, the later one counts.

    Args:
        path: A work directory, one of its timestamp folders, or a ``scalars.json``.

    Raises:
        UserError: There is no log, it has no scalars, or it is not one of mmengine's.
    """
    curves: dict[str, Curve] = {}
    for log in find_scalars(path):
        rows = [row for row, _ in _read_rows(log)]
        _forget_repeated(curves, rows)
        _add_rows(curves, rows)
    curves = {key: curve for key, curve in curves.items() if curve.points}
    if not curves:
        raise UserError(f"the log of '{path}' is empty: its run ended before the first log line")
    return curves


def joined_scalars(paths: Iterable[Path]) -> list[str]:
    """Join the lines of several starts; what a later one did again counts as it did it.

    Args:
        paths: The ``scalars.json`` of each start, in order; one that is missing is left out.
    """
    kept: list[tuple[int, str]] = []
    for path in paths:
        if path.is_file():
            rows = _read_rows(path)
            # a start may begin with the validation of the step that it goes on from
            first = next((row['step'] for row, _ in rows if 'iter' in row), math.inf)
            kept = [(step, line) for step, line in kept if step < first]
            kept += [(row['step'], line) for row, line in rows]
    return [line for _, line in kept]


def steps_done(work_dir: Path) -> int:
    """Count the training iterations of a run so far; 0 where nothing is logged."""
    for log in sorted(work_dir.glob(f'*/{SCALARS}'), reverse=True):
        for row, _ in reversed(_read_rows(log, strict=False)):
            if 'iter' in row:
                return int(row['iter'])
    return 0


def find_scalars(path: Path) -> list[Path]:
    """List the ``scalars.json`` of a run's starts, the first one first.

    Raises:
        UserError: There are none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"run '{path}' does not exist: give a work dir or a scalars.json")
    if (path / SCALARS).is_file():
        return [path / SCALARS]
    logs = sorted(path.glob(f'*/{SCALARS}'))  # a timestamp folder's name sorts by time
    if not logs:
        raise UserError(
            f"no log in '{path}' (no <timestamp>/{SCALARS}): give the work dir of a run that "
            'trained for at least one log interval'
        )
    return logs


def _read_rows(log: Path, strict: bool = True) -> list[tuple[dict, str]]:
    """Read the rows of a file, each with its line; a torn last line is left out."""
    rows = []
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row['step'], int):
                raise ValueError
        except (ValueError, KeyError):
            if not strict:
                continue
            if number < len(lines) or number == 1:
                raise UserError(
                    f"'{log}' is not a log of mmengine: line {number} is no JSON object with a step"
                ) from None
            print(f"note: '{log}' ends in a broken line (a killed run?), skipped", file=sys.stderr)
        else:
            rows.append((row, line))
    return rows


def _forget_repeated(curves: Mapping[str, Curve], rows: Iterable[dict]) -> None:
    """Drop what an earlier start logged beyond the checkpoint that ``rows`` resumed from."""
    training = [row for row in rows if 'iter' in row]
    if not training:
        return
    first = {'iteration': training[0]['step'], 'epoch': training[0].get('epoch', 0)}
    for curve in curves.values():
        curve.points = {s: v for s, v in curve.points.items() if s < first[curve.unit]}


def _add_rows(curves: dict[str, Curve], rows: Sequence[dict]) -> None:
    last_epoch = max((row.get('epoch', 0) for row in rows), default=0)
    for row in rows:
        training = 'iter' in row  # the host counts in training rows only
        # Runs in epochs log validation by epoch, unless told to do it by iteration.
        unit = 'iteration' if training or row['step'] > last_epoch else 'epoch'
        for key, value in row.items():
            if key in COUNTERS or isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            if not training and key in SPEEDS:
                continue
            curve = curves.setdefault(key, Curve(unit, training))
            curve.points[row['step']] = float(value)
