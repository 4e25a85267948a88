"""Read what is kept of a study; a run that cannot be trusted is left out, with the reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from sacm_mm.core.errors import UserError
from sacm_mm.core.run_log import Curve, read_scalars
from sacm_mm.studies.gather import COSTS, FAILED, STUDY
from sacm_mm.studies.recipe import config_diff

_CLASS_LINE = re.compile(r'^\|\s*(?P<name>[^|]+?)\s*\|\s*(?P<iou>[\d.]+|nan)\s*\|', re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One run.

    Attributes:
        figure: The study's figure.
        figures: All of its test.
        class_iou: IoU of each class in per cent, where the test's log has it.
        curves: Its scalars.
        seconds: Of its training: the median iteration, times their number. A run that was
            stopped and went on, or waited, took longer.
        about: What ``result.json`` says.
        folder: Where it is kept.
    """

    row: str
    seed: int
    figure: float
    figures: Mapping[str, float]
    class_iou: Mapping[str, float]
    curves: Mapping[str, Curve]
    seconds: float
    about: Mapping[str, Any]
    folder: Path

    @property
    def stamp(self) -> Mapping[str, Any]:
        """The code and machine that trained it."""
        return self.about['train']['stamp'] or {}


@dataclass(frozen=True)
class RowSummary:
    """What the runs of one row come to.

    Attributes:
        spread: Standard deviation over the seeds, None for one.
        costs: Of ``costs.json``, or nothing.
    """

    name: str
    label: str
    backbone: str
    results: tuple[Result, ...]
    costs: Mapping[str, Any]
    mean: float
    spread: float | None

    @property
    def minutes(self) -> float:
        """Mean time of training."""
        return fmean(r.seconds for r in self.results) / 60


@dataclass(frozen=True)
class Comparison:
    """A study's results.

    Attributes:
        study: What ``study.json`` says.
        rows: Those with results, in the study's order.
        left_out: Name and reason of every run or row that does not count.
        costs: What ``costs.json`` says.
        folder: Where they are kept.
    """

    study: Mapping[str, Any]
    rows: tuple[RowSummary, ...]
    left_out: tuple[tuple[str, str], ...]
    costs: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def best_first(self) -> list[RowSummary]:
        """Sort the rows by their figure."""
        return sorted(self.rows, key=lambda r: r.mean, reverse=self.study['higher_is_better'])


def load_results(folder: Path) -> Comparison:
    """Read a study's results.

    Raises:
        UserError: There is no study in the folder, or no run that counts.
    """
    if not (folder / STUDY).is_file():
        raise UserError(f"no results in '{folder}': run tools/study.py run, then report")
    study = _read(folder / STUDY)
    found, left_out = _read_runs(folder, study)
    costs = _read(folder / COSTS) if (folder / COSTS).is_file() else {}
    rows = []
    for name, entry in study['rows'].items():
        results = tuple(sorted((r for r in found if r.row == name), key=lambda r: r.seed))
        if results:
            rows.append(_summarise(name, entry, results, costs.get('rows', {}).get(name, {})))
    left_out += _failures(folder, {r.folder.name for r in found})
    named = {name.rpartition('_seed')[0] or name for name, _ in left_out}
    for name, entry in study['rows'].items():
        if name not in named and name not in {row.name for row in rows}:
            left_out.append((name, entry.get('refused', 'not run')))
    if not rows:
        why = ''.join(f'; {name}: {reason}' for name, reason in left_out[:3])
        raise UserError(f"no run in '{folder}' counts{why}")
    return Comparison(study, tuple(rows), tuple(sorted(left_out)), costs, folder)


def _summarise(
    name: str, entry: Mapping, results: tuple[Result, ...], costs: Mapping
) -> RowSummary:
    figures = [r.figure for r in results]
    return RowSummary(
        name,
        entry['label'],
        entry['backbone'],
        results,
        costs,
        fmean(figures),
        stdev(figures) if len(figures) > 1 else None,
    )


def _read_runs(folder: Path, study: Mapping) -> tuple[list[Result], list[tuple[str, str]]]:
    found: list[Result] = []
    left_out: list[tuple[str, str]] = []
    for run in sorted((folder / 'runs').glob('[!.]*')):
        try:
            found.append(read_result(run, study))
        except UserError as error:
            left_out.append((run.name, str(error)))
    times = Counter((r.row, r.seed) for r in found)
    for result in found:
        if times[result.row, result.seed] > 1:
            same = [r.folder.name for r in found if (r.row, r.seed) == (result.row, result.seed)]
            reason = f'{" and ".join(same)} are both {result.row} with seed {result.seed}'
            left_out.append((result.folder.name, reason))
    return [r for r in found if times[r.row, r.seed] == 1], left_out


def _failures(folder: Path, counted: set[str]) -> list[tuple[str, str]]:
    if not (folder / FAILED).is_file():
        return []
    failed = [(f'{f["row"]}_seed{f["seed"]}', f['reason']) for f in _read(folder / FAILED)]
    return [(name, reason) for name, reason in failed if name not in counted]


def read_result(folder: Path, study: Mapping) -> Result:
    """Read one run and check that it is what it says.

    Raises:
        UserError: A file is missing or damaged, or the run is not of this study and recipe.
    """
    about, config = _read(folder / 'result.json'), _read(folder / 'config.json')
    try:
        row, seed, test = about['row'], int(about['seed']), about['test']['whole']
        figures, ran = test['figures'], (about['study'], about['budget'])
        hash(row)
        about['train'], config['recipe']
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'result.json or config.json lacks {error}') from error
    if ran != (study['name'], study['budget']):
        raise UserError(f'it is a run of {ran[0]} ({ran[1]})')
    if row not in study['rows']:
        raise UserError(f"the study has no row '{row}'")
    differ = config_diff(config['recipe'], study['recipe'])
    if differ:
        raise UserError(f'another recipe: {differ[0]}')
    differ = config_diff(config.get('model'), study['rows'][row].get('model'))
    if differ:
        raise UserError(f"another model than the study's {row}: {differ[0]}")
    if config.get('seed') != seed:
        raise UserError(f'seed {seed} in result.json, but {config.get("seed")} in its config')
    log = _read_text(folder / 'test_whole.log')
    figure = _figure(study['metric'], figures, log)
    curves = read_scalars(folder / 'scalars.json') if (folder / 'scalars.json').is_file() else {}
    last = max((s for c in curves.values() if c.training for s in c.points), default=0)
    logger = (config['recipe'].get('default_hooks') or {}).get('logger') or {}
    interval = logger.get('interval', 1)
    if last < study['steps'] // interval * interval:
        raise UserError(f'its log ends at step {last} of {study["steps"]}')
    if 'time' not in curves:
        raise UserError('its log does not say how long an iteration took')
    seconds = median(curves['time'].points.values()) * study['steps']
    if 'sacm_mm stamp' not in _read_text(folder / 'train.log'):
        raise UserError('train.log does not say which code and machine made it')
    class_iou = {
        m['name']: float(m['iou']) for m in _CLASS_LINE.finditer(log) if m['name'] != 'Class'
    }
    return Result(row, seed, figure, figures, class_iou, curves, seconds, about, folder)


def _figure(metric: str, figures: Mapping[str, Any], log: str) -> float:
    """Take the figure; the log has to say the same, to its four digits."""
    value = figures.get(metric)
    if not isinstance(value, (int, float)):
        raise UserError(f'result.json has no {metric}')
    logged = re.findall(rf'\b{re.escape(metric)}: (-?[\d.]+|nan|inf)', log)
    if not logged:
        raise UserError(f'test_whole.log has no {metric}: the test did not end, or it is damaged')
    if f'{value:.4f}' != logged[-1]:
        raise UserError(f'{metric} is {value:.4f} in result.json, but {logged[-1]} in its log')
    if value != value:
        raise UserError(f'{metric} is not a number: the training diverged')
    return float(value)


def _read(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except ValueError as error:
        raise UserError(f'{path.name} is damaged: {error}') from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except FileNotFoundError as error:
        raise UserError(f'{path.name} is missing') from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path.name} is damaged: {error}') from error
