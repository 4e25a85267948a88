"""Train and test the runs of a study as processes of their own, some at a time."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Protocol

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import lock_folder, write_json
from sacm_mm.core.processes import ChildError, Children, cpu_share, run_all
from sacm_mm.studies.results import FAILED
from sacm_mm.studies.runs import Run

_ORPHANS_S = 20.0  # that processes of a killed start get to end


class Watcher(Protocol):
    """Who is told how the runs get on."""

    def started(self, run: Run) -> None:
        """A run begins or goes on."""

    def moved(self, run: Run, steps: int) -> None:
        """A run has come so far."""

    def ended(self, run: Run, figure: float | None, reason: str) -> None:
        """A run is done, or has failed for a reason."""


def train_all(
    runs: Sequence[Run], jobs: int, devices: Sequence[str], watcher: Watcher
) -> list[Run]:
    """Train and test what is not done; return the runs that failed.

    Args:
        runs: The runs, in their order.
        jobs: Runs at a time.
        devices: Devices to spread them over, such as ``('cuda:0', 'cuda:1')``; empty leaves the
            choice to PyTorch.
        watcher: Who is told.

    Raises:
        UserError: Another process trains in the same folder.
    """
    if all(run.done for run in runs):
        return []
    failed: list[Run] = []
    live: list[Run] = []
    fitting: set[str] = set()  # networks

    def fail(run: Run, reason: str) -> None:
        write_json(run.failure(reason), run.folder / FAILED)
        failed.append(run)
        watcher.ended(run, None, reason)

    def prepare(run: Run) -> bool:
        try:
            run.prepare(builds=run.network.name in fitting)
        except UserError as error:
            fail(run, str(error))
            return False
        fitting.add(run.network.name)
        return True

    def started(ready: Sequence[Run]) -> Iterator[Run]:
        for run in ready:
            live.append(run)
            watcher.started(run)
            yield run

    def tick() -> None:
        for run in live:
            watcher.moved(run, run.steps_done())

    with lock_folder(runs[0].folder.parents[1], _ORPHANS_S) as lock:
        # some are done by another process, while this one waited; what does not fit is said of all
        # before the first hour is spent
        ready = [run for run in runs if not run.done and prepare(run)]
        work = _worker(jobs, devices, lock)
        with closing(run_all(started(ready), work, jobs, tick)) as ended:
            for run, future in ended:
                live.remove(run)
                try:
                    figure = future.result()
                except UserError as error:
                    fail(run, str(error))
                else:
                    watcher.ended(run, figure, '')
    return failed


def _worker(jobs: int, devices: Sequence[str], lock: IO) -> Callable[[Run, int, Children], float]:
    def train_and_test(run: Run, place: int, children: Children) -> float:
        environment = _environment(place, jobs, devices)
        trained = run.folder / 'trained'
        train = ['train', str(run.config), '--work-dir', str(run.train_dir)]
        test = ['test', str(run.config), str(run.train_dir), '--work-dir', str(run.test_dir)]
        if trained.is_file():
            phases = [test]
        else:
            phases = [[*train, '--resume'] if run.resumes() else train, test]
        for verb, *arguments in phases:
            command = [sys.executable, '-m', 'sacm_mm', verb, *arguments]
            log = run.folder / 'run.log'
            try:
                # with the lock: the folder is free when the last of them has ended
                children.run(command, log, environment, pass_fds=(lock.fileno(),))
            except ChildError as error:
                raise UserError(_reason(log, error)) from error
            if verb == 'train':
                trained.touch()
        return run.finish()

    return train_and_test


def _environment(place: int, jobs: int, devices: Sequence[str]) -> dict[str, str]:
    environment = dict(os.environ)
    if devices:
        kind, _, index = devices[place % len(devices)].partition(':')
        number = int(index or 0)  # among those that this process sees, which may not be the first
        seen = environment.get('CUDA_VISIBLE_DEVICES')
        gpu = seen.split(',')[number] if seen else str(number)
        environment['CUDA_VISIBLE_DEVICES'] = gpu if kind == 'cuda' else ''
    if jobs > 1:
        environment.setdefault('OMP_NUM_THREADS', str(cpu_share(jobs)))
    return environment


def _reason(log: Path, error: ChildError) -> str:
    """Find the line that says why, among the last ones of the output."""
    if error.code < 0:
        return str(error)
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    for line in reversed(lines[-200:]):
        if line.startswith('error: '):
            return line.removeprefix('error: ')
        if re.match(r'[\w.]*(Error|Exception|Interrupt)\b', line):
            return line
    return f'{error}, see {log}'
