"""Long runs: memory does not grow."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from torture.bench import TASKS, Bench
from torture.box import Command
from torture.tools import stock

_STEPS = 3000
_PICTURES = 5000
_GROWTH = 32 * 2**20  # bytes, for what the allocator and the logs take
_WARM = 200


def run(bench: Bench) -> None:
    """Train for 3000 steps, predict 5000 pictures, each in one process."""
    with bench.case(f'train for {_STEPS} steps'):
        _train(bench, 'segmentation')
    with bench.case(f'predict {_PICTURES} pictures'):
        _predict(bench)


def _train(bench: Bench, name: str) -> None:
    folder = bench.scratch()
    options = {
        'train_cfg__max_iters': _STEPS,
        'train_cfg__val_interval': _STEPS // 3,
        'default_hooks__checkpoint__interval': _STEPS // 3,
        'default_hooks__logger__interval': 20,
    }
    command = bench.start(TASKS[name].train('work', **options), folder)
    seen = _watch(command, lambda: _steps(command))
    assert command.wait().code == 0, command.wait().tail()
    _assert_flat(bench, seen, f'{name}, {_STEPS} steps')


def _steps(command: Command) -> int:
    found = re.findall(r'Iter\(train\) \[ *(\d+)/', command.out()[-4000:])
    return int(found[-1]) if found else 0


def _predict(bench: Bench) -> None:
    folder = bench.scratch()
    photos = folder / 'photos'
    photos.mkdir()
    pictures = sorted((stock(bench) / 'photos').iterdir())
    for number in range(_PICTURES):
        os.link(pictures[number % len(pictures)], photos / f'{number:05d}.png')
    out = folder / 'out'
    command = bench.start(
        ['predict', photos, stock(bench) / 'segmentation', '--out', out, '--save', 'masks'], folder
    )
    seen = _watch(command, lambda: sum(1 for _ in out.glob('*.png')))
    assert command.wait().code == 0, command.wait().tail()
    assert len(list(out.glob('*.png'))) == _PICTURES, 'not all pictures are written'
    _assert_flat(bench, seen, f'{_PICTURES} pictures')


def _watch(command: Command, progress: Callable[[], int]) -> list[tuple[int, int]]:
    """Note progress and memory until a command ends."""
    seen = []
    while command.poll() is None:
        done = progress()
        try:
            seen.append((done, command.rss()))
        except (OSError, IndexError):  # it has just ended
            break
        time.sleep(0.2)
    return seen


def _assert_flat(bench: Bench, seen: list[tuple[int, int]], what: str) -> None:
    warm = [memory for done, memory in seen if _WARM <= done < 3 * _WARM]
    assert warm, 'it was too fast to be watched'
    first = max(warm)
    last = max(memory for _, memory in seen[-20:])
    grown = (last - first) / 2**20
    bench.notes[f'{what}: MiB of memory after {_WARM}'] = first // 2**20
    bench.notes[f'{what}: MiB of memory at the end'] = last // 2**20
    assert last - first < _GROWTH, f'memory grew by {grown:.0f} MiB'
