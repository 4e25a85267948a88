"""Asked to stop, or left alone by a helper: said in one line, and nothing is lost."""

from __future__ import annotations

import math
import os
import signal
import socket
import time
from pathlib import Path

from torture.bench import TASKS, Bench, Task, assert_same_weights, checkpoints, torn, weights
from torture.box import Command
from torture.hooks import hook
from torture.tools import TOOLS, stock

_CODES = {signal.SIGTERM: (143, -signal.SIGTERM), signal.SIGINT: (130,)}


def run(bench: Bench) -> None:
    """Signal, kill helpers, diverge."""
    for name, task in TASKS.items():
        straight = bench.scratch('straight')
        lasted = bench.must(task.train('work'), straight).seconds
        for number in (signal.SIGTERM, signal.SIGINT):
            for workers in (0, 2):
                with bench.case(f'train {name}, {number.name}, {workers} workers'):
                    _asked_to_stop(bench, task, number, workers, straight, lasted)
        with bench.case(f'train {name}, a second Ctrl-C'):
            _asked_twice(bench, task)
        with bench.case(f'train {name}, a loader worker killed'):
            _without_worker(bench, task)
        for rank in (0, 1):
            with bench.case(f'train {name}, process {rank} of two killed'):
                _without_partner(bench, task, rank)
        for value in ('none', 'endless'):
            with bench.case(f'train {name}, a weight becomes {value}'):
                _diverging(bench, task, value)
    for tool in TOOLS:
        with bench.case(f'{tool.name}, Ctrl-C'):
            folder = bench.scratch()
            tool.prepare(stock(bench), folder)
            command = bench.start(tool.arguments(stock(bench)), folder)
            time.sleep(bench.random.uniform(0.2, 2))
            if command.poll() is None:
                command.send(signal.SIGINT)
            ended = command.wait()
            bench.notes['commands interrupted'] += ended.code == 130
            assert ended.code in (0, 130) and 'Traceback' not in ended.err, ended.tail()
            assert not torn(folder), f'torn: {torn(folder)}'


def _asked_to_stop(
    bench: Bench, task: Task, number: signal.Signals, workers: int, straight: Path, lasted: float
) -> None:
    folder = bench.scratch()
    options = {'train_dataloader__num_workers': workers}
    command = bench.start(task.train('work', **options), folder)
    _wait_for(command, '(train)')
    time.sleep(bench.random.uniform(0, 0.5) * lasted)
    if command.poll() is None:
        command.send(number)
    ended = command.wait()
    assert ended.code in (0, *_CODES[number]), f'exit code {ended.code}: {ended.tail()}'
    assert 'Traceback' not in ended.err, ended.tail()
    bench.notes[f'{number.name} with a checkpoint and its exit code'] += ended.code != 0
    left = [path.name for path in checkpoints(folder / 'work')]
    assert left or task.last.startswith('epoch'), 'no checkpoint is left'
    assert not torn(folder), f'torn: {torn(folder)}'
    again = ['--resume'] if left else []
    bench.must(task.train('work', *again, **options), folder)
    assert_same_weights(folder / 'work' / task.last, straight / 'work' / task.last)


def _asked_twice(bench: Bench, task: Task) -> None:
    folder = bench.scratch()
    command = bench.start(task.train('work', **hook('SlowStepsHook')), folder)
    _wait_for(command, '(train)')
    command.send(signal.SIGINT)
    time.sleep(0.02)
    if command.poll() is None:
        command.send(signal.SIGINT)
    ended = command.wait(20)
    assert ended.code == 130, f'exit code {ended.code}: {ended.tail()}'
    assert 'Traceback' not in ended.err, ended.tail()
    assert not torn(folder), f'torn: {torn(folder)}'


def _without_worker(bench: Bench, task: Task) -> None:
    folder = bench.scratch()
    options = {'train_dataloader__num_workers': 2, **hook('SlowStepsHook')}
    command = bench.start(task.train('work', **options), folder)
    _wait_for(command, '(train)')
    os.kill(bench.random.choice(command.children()), signal.SIGKILL)
    bench.notes['loader workers killed'] += 1
    assert 'worker' in command.wait(60).refusal()
    assert not torn(folder), f'torn: {torn(folder)}'


def _without_partner(bench: Bench, task: Task, rank: int) -> None:
    folder = bench.scratch()
    both = start_two(bench, task, folder, **hook('SlowStepsHook'))
    _wait_for(both[0], '(train)')
    time.sleep(bench.random.uniform(0.1, 1))
    both[rank].send(signal.SIGKILL)
    both[rank].wait()
    bench.notes['processes of two killed'] += 1
    other = both[1 - rank].wait(60)
    assert 'process' in other.refusal(), other.tail()
    assert not torn(folder), f'torn: {torn(folder)}'


def start_two(bench: Bench, task: Task, folder: Path, **options: object) -> list[Command]:
    """Start a training of two processes, as torchrun would."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    arguments = task.train('work', '--launcher', 'pytorch', **options)
    shared = {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port), 'WORLD_SIZE': '2'}
    return [
        bench.start(arguments, folder,
                    environment={**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)})
        for rank in (0, 1)
    ]  # fmt: skip


def _diverging(bench: Bench, task: Task, value: str) -> None:
    folder = bench.scratch()
    step = bench.random.randint(4, 7)
    spoil = hook('SpoilWeightsHook', step=step, value=value)
    ended = bench.run(task.train('work', **spoil), folder)
    assert 'diverged at step' in ended.refusal(), ended.tail()
    bench.notes['divergences stopped'] += 1
    kept = checkpoints(folder / 'work')
    assert kept, 'no checkpoint is left'
    for path in kept:
        for name, tensor in weights(path).items():
            assert math.isfinite(tensor.float().sum()), f'{path.name} has {name} not finite'


def _wait_for(command: Command, text: str, limit_s: float = 60) -> None:
    until = time.monotonic() + limit_s
    while text not in command.out():
        ended = command.poll()
        assert ended is None, f'ended with {ended.code} before {text}: {ended.tail()}'
        assert time.monotonic() < until, f'no {text} after {limit_s:.0f} s'
        time.sleep(0.01)
