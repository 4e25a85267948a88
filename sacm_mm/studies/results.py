"""Read what is kept of a study; a run that cannot be trusted is left out, with the reason."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import isfinite
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.run_log import Curve, read_scalars
from sacm_mm.studies.recipe import config_diff, set_lr

STUDY = 'study.json'
COSTS = 'costs.json'
FAILED = 'failed.json'
# Before 0.2.0 a network was called a row, and IoU of each class stood in a test's log alone.
_OLD_NAMES = {'row': 'network', 'rows': 'networks'}
_CLASS_LINE = re.compile(r'^\|\s*(?P<name>[^|]+?)\s*\|\s*(?P<iou>[\d.]+|nan)\s*\|', re.MULTILINE)
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)


@dataclass(frozen=True)
class RunResult:
    """One run.

    Attributes:
        network: Name of its network.
        seed: Its seed.
        figure: The study's figure.
        figures: All of its test.
        class_iou: IoU of each class in per cent, where its test has it.
        curves: Its scalars.
        seconds: Of its training: the median iteration, times their number. A run that was
            stopped and went on, or waited, took longer.
        stamp: The code and machine that trained it.
        command: What gives it again.
        folder: Where it is kept.
    """

    network: str
    seed: int
    figure: float
    figures: Mapping[str, float]
    class_iou: Mapping[str, float]
    curves: Mapping[str, Curve]
    seconds: float
    stamp: Mapping[str, Any]
    command: str
    folder: Path


@dataclass(frozen=True)
class NetworkResult:
    """What the runs of one network come to.

    Attributes:
        name: Names its runs.
        label: What readers see.
        backbone: Its backbone, by name.
        runs: By their seeds.
        costs: Of ``costs.json``, or nothing.
        mean: Of the figure over the runs.
        spread: Standard deviation over the seeds, None for one.
    """

    name: str
    label: str
    backbone: str
    runs: tuple[RunResult, ...]
    costs: Mapping[str, Any]
    mean: float
    spread: float | None

    @property
    def minutes(self) -> float:
        """Mean time of training."""
        return fmean(run.seconds for run in self.runs) / 60

    @property
    def last_fall(self) -> float | None:
        """Per cent that the training loss fell from the fourth fifth of the steps to the last.

        It says how far from converged a network is: one that still falls would go on learning. None
        where a run did not log it.
        """
        falls = [_last_fall(run.curves.get('loss')) for run in self.runs]
        known = [fall for fall in falls if fall is not None]
        return fmean(known) if len(known) == len(falls) else None


@dataclass(frozen=True)
class StudyResults:
    """A study's results.

    Attributes:
        study: What ``study.json`` says.
        networks: Those with results, in the study's order.
        left_out: Name and reason of every run, network or file that does not count.
        costs: What ``costs.json`` says.
        folder: Where they are kept.
    """

    study: Mapping[str, Any]
    networks: tuple[NetworkResult, ...]
    left_out: tuple[tuple[str, str], ...]
    costs: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def runs(self) -> list[RunResult]:
        """All runs that count."""
        return [run for network in self.networks for run in network.runs]

    def best_first(self) -> list[NetworkResult]:
        """Sort the networks by their figure."""
        return sorted(self.networks, key=lambda n: n.mean, reverse=self.study['higher_is_better'])


def load_results(folder: Path) -> StudyResults:
    """Read a study's results.

    Raises:
        UserError: There is no study in the folder, or no run that counts.
    """
    if not (folder / STUDY).is_file():
        raise UserError(f"no results in '{folder}': run sacm study run, then sacm study report")
    study = read_study(folder)
    found, left_out = _read_runs(folder, study)
    try:
        costs = _read_costs(folder, study)
    except UserError as error:  # the figures count without them
        costs = {}
        left_out.append((COSTS, str(error)))
    networks = []
    for name, entry in study['networks'].items():
        runs = tuple(sorted((r for r in found if r.network == name), key=lambda r: r.seed))
        if runs:
            networks.append(_summarise(name, entry, runs, costs.get('networks', {}).get(name, {})))
    left_out += _failures(folder, {run.folder.name for run in found})
    named = {name.rpartition('_seed')[0] or name for name, _ in left_out}
    for name, entry in study['networks'].items():
        if name not in named and name not in {network.name for network in networks}:
            left_out.append((name, entry.get('refused', 'not run')))
    if not networks:
        why = ''.join(f'; {name}: {reason}' for name, reason in left_out[:3])
        raise UserError(f"no run in '{folder}' counts{why}")
    return StudyResults(study, tuple(networks), tuple(sorted(left_out)), costs, folder)


def read_study(folder: Path) -> dict[str, Any]:
    """Read what ``study.json`` says.

    Raises:
        UserError: It is missing, damaged or lacks something.
    """
    study = read_record(folder / STUDY)
    wanted = {
        'name': str, 'title': str, 'about': str, 'metric': str, 'metric_name': str, 'unit': str,
        'higher_is_better': bool, 'budget': str, 'size': list, 'steps': int, 'recipe': dict,
        'networks': dict,
    }  # fmt: skip
    for key, kind in wanted.items():
        if not isinstance(study.get(key), kind):
            raise UserError(f"'{folder / STUDY}' is damaged: {key} is {study.get(key)!r}")
    for name, entry in study['networks'].items():
        if not isinstance(entry, dict) or not {'label', 'backbone'} <= entry.keys():
            raise UserError(f"'{folder / STUDY}' is damaged: networks.{name} is {entry!r}")
    return study


def _last_fall(loss: Curve | None) -> float | None:
    if loss is None:
        return None
    steps = max(loss.points)
    fourth = [value for step, value in loss.points.items() if 0.6 < step / steps <= 0.8]
    last = [value for step, value in loss.points.items() if step / steps > 0.8]
    if not fourth or fmean(fourth) <= 0:
        return None
    return 100 * (1 - fmean(last) / fmean(fourth))


def _summarise(
    name: str, entry: Mapping, runs: tuple[RunResult, ...], costs: Mapping
) -> NetworkResult:
    figures = [run.figure for run in runs]
    spread = stdev(figures) if len(figures) > 1 else None
    return NetworkResult(
        name, entry['label'], entry['backbone'], runs, costs, fmean(figures), spread
    )


def _read_runs(folder: Path, study: Mapping) -> tuple[list[RunResult], list[tuple[str, str]]]:
    found: list[RunResult] = []
    left_out: list[tuple[str, str]] = []
    for run in sorted((folder / 'runs').glob('[!.]*')):
        try:
            found.append(read_run(run, study))
        except UserError as error:
            left_out.append((run.name, str(error)))
    times = Counter((r.network, r.seed) for r in found)
    for result in found:
        which = (result.network, result.seed)
        if times[which] > 1:
            same = [r.folder.name for r in found if (r.network, r.seed) == which]
            reason = f'{" and ".join(same)} are both {result.network} with seed {result.seed}'
            left_out.append((result.folder.name, reason))
    return [r for r in found if times[r.network, r.seed] == 1], left_out


def model_mark(model: Mapping) -> str:
    """Tell models apart, as values of JSON: costs are those of one."""
    return sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()[:16]


def _read_costs(folder: Path, study: Mapping) -> dict[str, Any]:
    if not (folder / COSTS).is_file():
        return {}
    costs = read_record(folder / COSTS)
    known, marks = costs.get('networks'), costs.get('models', {})  # no models: of before 0.2.0
    stamp = costs.get('stamp')
    if not isinstance(known, dict) or not isinstance(marks, dict) or not isinstance(stamp, dict):
        raise UserError(f'{COSTS} is damaged: it lacks networks or stamp')
    for name, values in known.items():
        ways = values.get('ways_ms', {}) if isinstance(values, dict) else None
        numbers = values | {'ways_ms': 0, **ways} if isinstance(ways, dict) else {'': None}
        if not all(map(_is_number, numbers.values())):
            raise UserError(f'{COSTS} is damaged: networks.{name} is {values!r}')
    anew = 'sacm study run measures them anew, sacm study report takes them in'
    if costs.get('size', study['size']) != study['size']:
        raise UserError(f'these are costs of other sizes of the images than the study has: {anew}')
    for name, mark in marks.items():
        model = study['networks'].get(name, {}).get('model')
        if model is not None and model_mark(model) != mark:
            raise UserError(f'these are costs of another {name} than the study has: {anew}')
    return costs


def _failures(folder: Path, counted: set[str]) -> list[tuple[str, str]]:
    if not (folder / FAILED).is_file():
        return []
    try:
        listed = json.loads(_read_text(folder / FAILED))
        failed = [_renamed(failure) for failure in listed]
        named = [(f'{f["network"]}_seed{f["seed"]}', str(f['reason'])) for f in failed]
    except (UserError, *_DAMAGE) as error:
        return [(FAILED, f'it is damaged: {one_line(error)}')]
    return [(name, reason) for name, reason in named if name not in counted]


def read_run(folder: Path, study: Mapping) -> RunResult:
    """Read one run and check that it is what it says.

    Raises:
        UserError: A file is missing or damaged, or the run is not of this study and recipe.
    """
    about, config = read_record(folder / 'result.json'), read_record(folder / 'config.json')
    try:
        return _checked_run(folder, study, about, config)
    except UserError:
        raise
    except KeyError as error:
        raise UserError(f'result.json or config.json lacks {error}') from error
    except _DAMAGE as error:
        raise UserError(f'it is damaged: {one_line(error)}') from error


def _checked_run(folder: Path, study: Mapping, about: Mapping, config: Mapping) -> RunResult:
    network, seed, test = str(about['network']), int(about['seed']), about['test']['whole']
    _check_origin(study, about, config, network, seed)
    log = _read_text(folder / 'test_whole.log')
    figure = _figure(study['metric'], test['figures'], log)
    scalars = folder / 'scalars.json'
    curves = read_scalars(scalars) if scalars.is_file() else {}
    last = max((s for c in curves.values() if c.training for s in c.points), default=0)
    logger = (config['recipe'].get('default_hooks') or {}).get('logger') or {}
    interval = logger.get('interval', 1)
    if last < study['steps'] // interval * interval:
        raise UserError(f'its log ends at step {last} of {study["steps"]}')
    if 'time' not in curves:
        raise UserError('its log does not say how long an iteration took')
    if 'sacm_mm stamp' not in _read_text(folder / 'train.log'):
        raise UserError('train.log does not say which code and machine made it')
    return RunResult(
        network,
        seed,
        figure,
        test['figures'],
        _class_iou(test, log),
        curves,
        median(curves['time'].points.values()) * study['steps'],
        dict(about['train']['stamp'] or {}),
        str(about['commands'][0]),
        folder,
    )


def _check_origin(study: Mapping, about: Mapping, config: Mapping, network: str, seed: int) -> None:
    if (about['study'], about['budget']) != (study['name'], study['budget']):
        raise UserError(f'it is a run of {about["study"]} ({about["budget"]})')
    if network not in study['networks']:
        raise UserError(f"the study has no network '{network}'")
    recipe = study['recipe']
    if 'lr' in study['networks'][network]:
        recipe = copy.deepcopy(recipe)
        set_lr(recipe, study['networks'][network]['lr'])
    differ = config_diff(config['recipe'], recipe)
    if differ:
        raise UserError(f'another recipe: {differ[0]}')
    differ = config_diff(config.get('model'), study['networks'][network].get('model'))
    if differ:
        raise UserError(f"another model than the study's {network}: {differ[0]}")
    if config.get('seed') != seed:
        raise UserError(f'seed {seed} in result.json, but {config.get("seed")} in its config')


def _figure(metric: str, figures: Mapping[str, Any], log: str) -> float:
    """Take the figure; the log has to say the same, to its four digits."""
    value: Any = figures.get(metric)
    if not _is_number(value):
        raise UserError(f'result.json has no {metric}')
    logged = re.findall(rf'\b{re.escape(metric)}: (-?[\d.]+|nan|inf)', log)
    if not logged:
        raise UserError(f'test_whole.log has no {metric}: the test did not end, or it is damaged')
    if f'{value:.4f}' != logged[-1]:
        raise UserError(f'{metric} is {value:.4f} in result.json, but {logged[-1]} in its log')
    if not isfinite(value):
        raise UserError(f'{metric} is not a finite number: the training diverged')
    return float(value)


def _class_iou(test: Mapping[str, Any], log: str) -> dict[str, float]:
    """Take IoU of each class from what the test recorded, or from the table of an old log."""
    if 'classes' in test:
        shares = test['classes'].get('IoU', {})  # null where a class never occurs
        return {name: float('nan' if iou is None else iou) for name, iou in shares.items()}
    return {m['name']: float(m['iou']) for m in _CLASS_LINE.finditer(log) if m['name'] != 'Class'}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def read_record(path: Path) -> dict[str, Any]:
    """Read a JSON object, with its names as they are today.

    Raises:
        UserError: It is missing or damaged.
    """
    try:
        content = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path.name} is damaged: {one_line(error)}') from error
    if not isinstance(content, dict):
        raise UserError(f'{path.name} is damaged: it lacks everything, it is no JSON object')
    return _renamed(content)


def _renamed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {_OLD_NAMES.get(key, key): value for key, value in content.items()}


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except FileNotFoundError as error:
        raise UserError(f'{path.name} is missing') from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{path.name} is damaged: {one_line(error)}') from error
