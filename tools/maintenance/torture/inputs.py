"""Bad input to every command: exit code 2, one line that names it, and nothing left behind."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from torture.bench import TASKS, Bench, snapshot
from torture.tools import stock

_SUFFIXES = {'txt', 'pth', 'png', 'onnx', 'json', 'xml', 'html', 'pt2', 'mat', 'doc', 'csv', 'mp4'}
_EACH = 3  # values of each kind that a place gets
_TASK = TASKS['segmentation']
_CONFIG = _TASK.config


def run(bench: Bench) -> None:
    """Give each place some of its values."""
    cwd = bench.scratch()
    write_fixtures(cwd, stock(bench))
    names = {'C': _CONFIG, 'S': stock(bench) / 'segmentation', 'P': stock(bench) / 'photos',
             'M': stock(bench) / 'masks', 'MAT': stock(bench) / 'nyu.mat',
             'SPLITS': stock(bench) / 'splits.mat',
             'T': stock(bench) / 'classification/epoch_4.pth'}  # fmt: skip
    for arguments, value in _plan(bench):
        filled: list[object] = []
        for argument in arguments:
            if argument == 'TINY':
                filled += _TASK.cfg_options()
            else:
                filled.append(value if argument == '?' else names.get(argument, argument))
        before = snapshot(cwd)
        with bench.case(f'{" ".join(arguments)}: {value!r}'):
            ended = bench.run(filled, cwd, 120)
            line = ended.refusal()
            named = _named(arguments, value)
            assert any(name in line for name in named), f'names none of {named}: {line[:200]}'
            assert snapshot(cwd) == before, f'left {_changed(before, snapshot(cwd))}'
        if snapshot(cwd) != before or _folders(cwd) != _FIXTURE_FOLDERS:
            cwd = bench.scratch()
            write_fixtures(cwd, stock(bench))


def _plan(bench: Bench) -> Iterator[tuple[list[str], str]]:
    """Yield commands with ``?`` for a place, and what is put there."""
    named: dict[str, list[str]] = {}
    for line in Path(__file__).with_suffix('.txt').read_text('utf-8').splitlines():
        command, bar, values = line.partition(' | ')
        if line.startswith('#') or not line:
            continue
        if not bar:
            name, _, values = line.partition(' = ')
            named[name] = shlex.split(values)
            continue
        given: list[str] = []
        chosen = shlex.split(values)
        for value in chosen:
            if value.startswith('**'):
                given += named[value[2:]]
            elif value.startswith('*'):
                given += bench.random.sample(named[value[1:]], min(_EACH, len(named[value[1:]])))
            else:
                given.append(value)
        yield from ((shlex.split(command), value) for value in given)


def _named(arguments: list[str], value: str) -> list[str]:
    """Return what the line may name the mistake by: the value, or what it was given for."""
    before = arguments[: arguments.index('?')]
    flags = [a.lstrip('-') for a in before if a.startswith('--')][-1:]
    words = [word for word in re.split('[=./:()]', value) if len(word) > 2]
    return [
        *flags,
        *(word for word in words if word not in _SUFFIXES),
        *([] if flags else [value]),
        f"'{value}'",
    ]


def _changed(before: dict, after: dict) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)][:4]


_FIXTURE_FOLDERS = {'empty', 'full', 'weights'}


def _folders(cwd: Path) -> set[str]:
    return {path.name for path in cwd.iterdir() if path.is_dir()}


def write_fixtures(folder: Path, stock_: Path) -> None:
    """Write the files that bad input names."""
    import numpy as np
    import torch

    noise = np.random.default_rng(0).bytes(3000)
    for name in _FIXTURE_FOLDERS:
        (folder / name).mkdir()
    (folder / 'full/own.txt').write_text('mine')
    for suffix in ('py', 'png', 'h5', 'json', 'mat', 'mp4', 'pth', 'onnx', 'pt2', 'safetensors'):
        # configs are looked for beside weights
        place = folder / 'weights' if suffix in ('pth', 'onnx', 'pt2', 'safetensors') else folder
        (place / f'noise.{suffix}').write_bytes(noise)
        (place / f'empty.{suffix}').touch()
    (folder / 'text.txt').write_text('hello')
    (folder / 'weights/text.xml').write_text('hello')
    (folder / 'text.py').write_text('this is no Python')
    (folder / 'fragment.py').write_text('max_iters = 4\n')
    (folder / 'loop.py').write_text("_base_ = 'loop.py'\n")
    (folder / 'missing_base.py').write_text("_base_ = 'no_such_base.py'\n")
    path = stock_ / 'segmentation' / _TASK.last
    content = torch.load(path, weights_only=True)
    (folder / 'weights' / 'half.pth').write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    shutil.copy(stock_ / 'depth' / TASKS['depth'].last, folder / 'weights/other.pth')
    next(iter(content['state_dict'].values())).view(-1)[0] = float('nan')
    torch.save(content, folder / 'weights/nan.pth')
    torch.save({'a': 1, 'b': 'text'}, folder / 'weights/no_weights.pth')
