"""SIGKILL at random moments: nothing torn is taken for whole, and a training loses nothing."""

from __future__ import annotations

import signal
import time
from itertools import product
from pathlib import Path

from torture.bench import TASKS, Bench, Task, assert_same_weights, checkpoints, partial_files, torn
from torture.box import Command
from torture.tools import TOOLS, Tool, outputs, stock

_FLAGS = ('', '--amp', '--fast')
_MOMENTS = ('any', 'checkpoint', 'validation')


def run(bench: Bench) -> None:
    """Kill trainings of every kind, then other commands that write files."""
    variants = list(product(TASKS, _FLAGS, (0, 2)))
    bench.random.shuffle(variants)
    for number, (name, flag, workers) in enumerate(variants):
        options = _workers(workers)
        flags = [flag] if flag else []
        task = TASKS[name]
        straight = bench.scratch('straight') / 'work'
        lasted = bench.must(task.train(straight, *flags, **options), straight.parent).seconds
        moments = [_MOMENTS[number % 3], _MOMENTS[(number + 1) % 3]]
        for moment in moments:
            with bench.case(f'{name} {flag or "plain"}, {workers} workers, at {moment}'):
                _kill_training(bench, task, flags, options, moment, straight, lasted)
    for tool in TOOLS:
        whole = bench.scratch('whole')
        tool.prepare(stock(bench), whole)
        lasted = bench.must(tool.arguments(stock(bench)), whole).seconds
        with bench.case(tool.name):
            _kill_tool(bench, tool, lasted, whole)


def _workers(number: int) -> dict[str, object]:
    names = ('train_dataloader', 'val_dataloader')
    return {
        **{f'{name}__num_workers': number for name in names},
        **({f'{name}__persistent_workers': True for name in names} if number else {}),
    }


def _kill_training(
    bench: Bench,
    task: Task,
    flags: list[str],
    options: dict[str, object],
    moment: str,
    straight: Path,
    lasted: float,
) -> None:
    work = bench.scratch() / 'work'
    command = bench.start(task.train(work, *flags, **options), work.parent)
    _kill_at(bench, command, moment, work, lasted)
    assert not torn(work), f'torn: {torn(work)}'
    bench.notes['kills of trainings'] += 1
    left = [path.name for path in checkpoints(work)]
    bench.notes['of these with a checkpoint to go on from'] += bool(left)
    again = ['--resume'] if left else []
    ended = bench.run(task.train(work, *again, *flags, **options), work.parent)
    assert ended.code == 0, f'after {left} the next start ends with {ended.code}: {ended.tail()}'
    assert_same_weights(work / task.last, straight / task.last)
    assert not partial_files(work), f'left: {partial_files(work)}'


def _kill_at(bench: Bench, command: Command, moment: str, work: Path, lasted: float) -> None:
    """Wait for a moment and kill; what has ended by then is not killed."""
    until = time.monotonic() + bench.random.uniform(0.1, 0.98) * lasted
    if moment == 'any':
        while command.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
    seen = 0
    wanted = bench.random.randint(1, 4) if moment == 'checkpoint' else 1
    while moment != 'any' and command.poll() is None and seen < wanted:
        if moment == 'checkpoint':
            seen += any(work.glob('.*.partial*'))
            time.sleep(0.0005)
        else:
            seen += '(val)' in command.out()
            time.sleep(0.002)
    if command.poll() is None:
        command.send(signal.SIGKILL)
        command.wait()
        bench.notes[f'struck at {moment}'] += 1


def _kill_tool(bench: Bench, tool: Tool, lasted: float, wanted: Path) -> None:
    folder = bench.scratch()
    tool.prepare(stock(bench), folder)
    command = bench.start(tool.arguments(stock(bench)), folder)
    _kill_at(bench, command, 'any', folder, lasted)
    bench.notes['kills of other commands'] += 1
    assert not torn(folder), f'torn: {torn(folder)}'
    ended = bench.run(tool.arguments(stock(bench)), folder)
    if tool.rerun or ended.code != 2:
        assert ended.code == 0, f'the next start ends with {ended.code}: {ended.tail()}'
    else:
        assert 'exist' in ended.refusal(), ended.tail()  # it was finished before
    found, whole = outputs(folder), outputs(wanted)
    assert found == whole, f'missing {whole - found}, left {found - whole}'
    assert not torn(folder), f'torn: {torn(folder)}'
