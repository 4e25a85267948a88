"""Full disks, read-only folders, folders that vanish, and two runs in one folder."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torture.bench import TASKS, Bench, assert_same_weights, checkpoints, partial_files, torn
from torture.hooks import hook
from torture.tools import TOOLS, Tool, outputs, stock

_PAGE = 4096
_SHARES = (0.0, 0.6)  # of what a command writes: the room that there is


def run(bench: Bench) -> None:
    """Starve each command of room, then of permission, then of its folder."""
    for name, task in TASKS.items():
        straight = bench.scratch('straight')
        bench.must(task.train('work'), straight)
        for share in _SHARES:
            with bench.case(f'train {name}, room for {share:.0%}'):
                _full_training(bench, name, straight, share)
        with bench.case(f'train {name}, read-only folder'), small_disk(bench, 0) as disk:
            subprocess.run(['mount', '-o', 'remount,ro', disk], check=True)
            ended = bench.run(task.train('work'), disk)
            assert 'cannot write' in ended.refusal(), ended.tail()
        with bench.case(f'train {name}, its folder vanishes'):
            _vanishing_training(bench, name)
        with bench.case(f'train {name}, two in one folder'):
            _two_in_one(bench, name)
    for tool in TOOLS:
        whole = bench.scratch('whole')
        tool.prepare(stock(bench), whole)
        bench.must(tool.arguments(stock(bench)), whole)
        for share in _SHARES:
            with bench.case(f'{tool.name}, room for {share:.0%}'):
                _full(bench, tool, whole, share)
        with bench.case(f'{tool.name}, read-only folder'), small_disk(bench, 2**28) as disk:
            tool.prepare(stock(bench), disk)
            subprocess.run(['mount', '-o', 'remount,ro', disk], check=True)
            ended = bench.run(tool.arguments(stock(bench)), disk)
            assert 'cannot write' in ended.refusal(), ended.tail()


@contextmanager
def small_disk(bench: Bench, size: int) -> Iterator[Path]:
    """Mount a disk of so many bytes."""
    folder = bench.scratch('disk')
    # a folder or two is there before anything is written
    room = f'size={size + 4 * _PAGE}'
    subprocess.run(['mount', '-t', 'tmpfs', '-o', room, 'torture', folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(['umount', '--lazy', folder], check=True)


def _size(folder: Path) -> int:
    """Return the room that files take, in whole pages."""
    sizes = [p.stat().st_size for p in folder.rglob('*') if p.is_file()]
    return sum(-(-size // _PAGE) * _PAGE for size in sizes)


def _full(bench: Bench, tool: Tool, whole: Path, share: float) -> None:
    before = bench.scratch('before')
    tool.prepare(stock(bench), before)
    given = _size(before)
    with small_disk(bench, given + int(share * (_size(whole) - given))) as disk:
        tool.prepare(stock(bench), disk)
        ended = bench.run(tool.arguments(stock(bench)), disk)
        bench.notes['full disks'] += ended.code != 0
        if ended.code == 0:  # pictures compress differently well, and some files are rewritten
            missing = outputs(whole) - outputs(disk)
            assert not missing, f'exit code 0 without {missing}'
        else:
            assert 'No space left' in ended.refusal(), ended.tail()
        assert not torn(disk), f'torn: {torn(disk)}'
        assert not partial_files(disk), f'left: {partial_files(disk)}'


def _full_training(bench: Bench, name: str, straight: Path, share: float) -> None:
    task = TASKS[name]
    with small_disk(bench, int(share * _size(straight))) as disk:
        ended = bench.run(task.train('work'), disk)
        bench.notes['full disks'] += 1
        assert 'No space left' in ended.refusal(), ended.tail()
        assert not torn(disk), f'torn: {torn(disk)}'
        assert not partial_files(disk), f'left: {partial_files(disk)}'
        subprocess.run(['mount', '-o', 'remount,size=1g', disk], check=True)
        again = ['--resume'] if checkpoints(disk / 'work') else []
        ended = bench.run(task.train('work', *again), disk)
        assert ended.code == 0, f'with room again it ends with {ended.code}: {ended.tail()}'
        assert_same_weights(disk / 'work' / task.last, straight / 'work' / task.last)


def _vanishing_training(bench: Bench, name: str) -> None:
    task, folder = TASKS[name], bench.scratch()
    work = folder / 'work'
    command = bench.start(task.train('work', **hook('SlowStepsHook')), folder)
    while command.poll() is None and '(train)' not in command.out():
        time.sleep(0.01)
    shutil.rmtree(work, ignore_errors=True)
    bench.notes['vanished folders'] += 1
    ended = command.wait()
    if ended.code == 0:
        assert (work / task.last).is_file(), 'exit code 0 without a checkpoint'
    else:
        assert str(work.name) in ended.refusal(), ended.tail()
    assert not torn(folder), f'torn: {torn(folder)}'


def _two_in_one(bench: Bench, name: str) -> None:
    task, folder = TASKS[name], bench.scratch()
    steps = {
        key.replace('.', '__'): 500 for key in task.options if key.endswith(('iters', 'epochs'))
    }
    first = bench.start(task.train('work', **steps, **hook('SlowStepsHook')), folder)
    while first.poll() is None and '(train)' not in first.out():
        time.sleep(0.01)
    ended = bench.run(task.train('work', '--overwrite'), folder)
    assert first.poll() is None, 'the first has ended too early to tell'
    first.end()
    assert 'another process works in' in ended.refusal(), ended.tail()
    bench.notes['second runs refused'] += 1
