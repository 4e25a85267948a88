"""Configs with generated faults: refused in one line, or run to figures that are finite.

A config is one of ours, made tiny, with one or two of its settings dropped, given another type, or
a number that is negative, zero, huge or none. What certainly is wrong must be refused: a name that
nothing has, a number that is none, a text in place of a number or a section.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from torture.bench import TASKS, Bench, checkpoints, snapshot, torn
from torture.box import Ended
from torture.tools import stock

_EXAMPLES = {'train': 60, 'test': 20, 'export': 15, 'swap': 15}
_WRONG = ('bananas', {'bananas': 1}, ['bananas'], None)
_NUMBERS = (-1, 0, -0.5, 1e30, 10**12, math.nan, math.inf)
# what a training reads; the rest is looks, or is of the other loaders
_ROOTS = ('model', 'train_dataloader', 'val_dataloader', 'optim_wrapper', 'param_scheduler',
          'train_cfg', 'val_cfg', 'val_evaluator', 'default_hooks', 'randomness', 'env_cfg',
          'visualizer', 'log_processor', 'custom_hooks', 'default_scope', 'test_dataloader',
          'test_evaluator', 'test_cfg')  # fmt: skip


def run(bench: Bench) -> None:
    """Mutate configs and give them to the commands."""
    os.environ['SACM_DATA'] = str(bench.data)  # configs are read here
    folder = bench.scratch('configs')
    configs = {name: _tiny(task, folder / f'{name}.py') for name, task in TASKS.items()}
    for command, examples in _EXAMPLES.items():
        _fuzz(bench, command, examples, configs)


def _tiny(task: Any, path: Path) -> dict[str, Any]:
    from sacm_mm.core.configs import load_config

    options = task.cfg_options()[1:]
    steps = [o.replace('=12', '=2').replace('=6', '=2') for o in options if '_cfg' in o]
    cfg = load_config(task.config, [*options, *steps])
    return {key: cfg.to_dict()[key] for key in cfg if not key.startswith('_')}


def _fuzz(bench: Bench, command: str, examples: int, configs: dict[str, dict[str, Any]]) -> None:
    @seed(bench.seed)
    @settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def one(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(configs)))
        values = copy.deepcopy(configs[name])
        faults = [_spoil(data, values) for _ in range(data.draw(st.integers(1, 2)))]
        _try(bench, command, name, values, faults)

    one()


def _spoil(data: st.DataObject, values: dict[str, Any]) -> tuple[str, str]:
    """Change one setting; return where, and what was done to it."""
    roots = [root for root in _ROOTS if root in values]
    root = data.draw(st.sampled_from(roots))
    places = list(_places(values, root, root))
    holder, key, path = data.draw(st.sampled_from(places))
    old = holder[key]
    kinds = ['drop', 'wrong']
    if isinstance(old, dict):
        kinds.append('unknown')
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        kinds += ['number'] * 3
    kind = data.draw(st.sampled_from(kinds))
    if kind == 'drop' and isinstance(holder, dict):
        del holder[key]
        return path, 'dropped'
    if kind == 'unknown':
        old['bananas'] = 3
        return path, 'with an unknown key'
    new = data.draw(st.sampled_from(_NUMBERS if kind == 'number' else _WRONG))
    holder[key] = copy.deepcopy(new)
    return path, f'= {new!r}'


def _places(holder: Any, key: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    yield holder, key, path
    value = holder[key]
    items = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())  # fmt: skip
    for name, _ in items:
        yield from _places(value, name, f'{path}.{name}')


def _try(
    bench: Bench, command: str, name: str, values: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    from sacm_mm.core.configs import write_config

    folder = bench.scratch()
    write_config(values, folder / 'config.py')
    weights = stock(bench) / name / TASKS[name].last
    arguments: dict[str, Sequence[object]] = {
        'train': ['train', 'config.py', '--work-dir', 'w'],
        'test': ['test', 'config.py', weights, '--work-dir', 'w'],
        'export': ['export', 'config.py', weights, '--out', 'm.onnx'],
        'swap': ['swap', 'config.py', '--backbone', 'sa-convmixer-d16-l2-k3-p4', '--out', 'x.py',
                 '--check'],
    }  # fmt: skip
    said = ', '.join(f'{path} {what}' for path, what in faults)
    before = snapshot(folder)
    with bench.case(f'{command} {name}: {said}'):
        ended = bench.run(arguments[command], folder, 120)
        if ended.code:
            ended.refusal()
            bench.notes[f'{command}: refused in one line'] += 1
            started = '(train)' in ended.err + ended.out
            if command != 'train' or not started:
                left = snapshot(folder).keys() - before.keys()
                assert not left, f'left {sorted(left)[:3]}'
        else:
            bench.notes[f'{command}: did its work'] += 1
            _assert_spoken(command, ended, folder, faults)


def _assert_spoken(command: str, ended: Ended, folder: Path, faults: list[tuple[str, str]]) -> None:
    """What ends with 0 has done its work; what certainly is wrong does not."""
    assert not torn(folder), f'torn: {torn(folder)}'
    if command == 'train':
        assert checkpoints(folder / 'w'), 'exit code 0 without a checkpoint'
        assert 'loss: nan' not in ended.err + ended.out, 'exit code 0 with a loss of nan'
    elif command == 'test':
        assert '(test)' in ended.err + ended.out, 'exit code 0 without a figure'
    else:
        assert list(folder.glob('m.onnx')) or list(folder.glob('x.py')), 'exit code 0, no file'
    read = [path for path, what in faults if command == 'train' and what == '= nan']
    assert not read, f'{read[0]} is nan, and it was trained'
