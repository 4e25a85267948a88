"""Train and test the runs of a study as processes of their own, some at a time."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import lock_folder
from sacm_mm.studies.runs import Run

_POLL = 0.5  # seconds
_ORPHANS = 20.0  # seconds that processes of a killed start get to end
_PR_SET_PDEATHSIG = 1


class Watcher(Protocol):
    """Who is told how the runs get on."""

    def started(self, run: Run) -> None:
        """A run begins or goes on."""

    def moved(self, run: Run, steps: int) -> None:
        """A run has come so far."""

    def ended(self, run: Run, figure: float | None, reason: str) -> None:
        """A run is done, or has failed for a reason."""


@dataclass
class _Slot:
    """A place for one run at a time, on one device."""

    environment: dict[str, str]
    run: Run | None = None
    process: subprocess.Popen | None = None
    phases: list[list[str]] = field(default_factory=list)


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
    waiting = [run for run in runs if not run.done]
    if not waiting:
        return []
    failed: list[Run] = []
    slots = [_Slot(_environment(i, jobs, devices)) for i in range(jobs)]
    folder = waiting[0].folder.parents[1]
    with lock_folder(folder, _ORPHANS) as lock:
        try:
            while waiting or any(slot.run for slot in slots):
                for slot in slots:
                    if slot.run is None and waiting:
                        _begin(slot, waiting.pop(0), watcher, failed)
                    _advance(slot, lock, watcher, failed)
                time.sleep(_POLL)
        finally:
            for slot in slots:
                if slot.process is not None:
                    slot.process.terminate()
                    slot.process.wait()
    return failed


def _begin(slot: _Slot, run: Run, watcher: Watcher, failed: list[Run]) -> None:
    try:
        run.prepare()
    except UserError as error:
        _fail(run, str(error), watcher, failed)
        return
    watcher.started(run)
    tools = _tools()
    train = [str(tools / 'train.py'), str(run.config), '--work-dir', str(run.train_dir)]
    test = [str(tools / 'test.py'), str(run.config), str(run.train_dir)]
    test += ['--work-dir', str(run.test_dir)]
    trained = (run.folder / 'trained').is_file()
    if not trained and run.resumes():
        train.append('--resume')
    slot.run, slot.phases = run, [test] if trained else [train, test]


def _advance(slot: _Slot, lock: IO, watcher: Watcher, failed: list[Run]) -> None:
    """Look after a slot: start its next phase, or end its run."""
    run = slot.run
    if run is None:
        return
    if slot.process is not None:
        code = slot.process.poll()
        if code is None:
            watcher.moved(run, run.steps_done())
            return
        slot.process = None
        if code:
            slot.run = None
            _fail(run, _reason(run, code), watcher, failed)
            return
        if len(slot.phases) == 1:
            (run.folder / 'trained').touch()
    if slot.phases:
        slot.process = _spawn(slot.phases.pop(0), run, slot.environment, lock)
        return
    slot.run = None
    try:
        watcher.ended(run, run.finish(), '')
    except UserError as error:
        _fail(run, str(error), watcher, failed)


def _fail(run: Run, reason: str, watcher: Watcher, failed: list[Run]) -> None:
    run.fail(reason)
    failed.append(run)
    watcher.ended(run, None, reason)


def _spawn(command: list[str], run: Run, environment: dict[str, str], lock: IO) -> subprocess.Popen:
    """Start a tool; its output goes to run.log, and it does not outlive this process."""
    with (run.folder / 'run.log').open('a', encoding='utf-8') as log:
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=(lock.fileno(),),  # the folder is free when the last of them has ended
            preexec_fn=_die_with_parent,
        )


def _die_with_parent() -> None:
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _environment(slot: int, jobs: int, devices: Sequence[str]) -> dict[str, str]:
    environment = dict(os.environ)
    if devices:
        device = devices[slot % len(devices)]
        environment['CUDA_VISIBLE_DEVICES'] = device.partition(':')[2] if 'cuda' in device else ''
    if jobs > 1:
        share = max(1, len(os.sched_getaffinity(0)) // jobs)
        environment.setdefault('OMP_NUM_THREADS', str(share))
    return environment


def _tools() -> Path:
    package = Path(__file__).parents[1]
    installed = package / '.mim' / 'tools'
    return installed if installed.is_dir() else package.parent / 'tools'


def _reason(run: Run, code: int) -> str:
    """Find the line that says why, among the last ones of the output."""
    if code < 0:
        return f'killed by signal {-code} ({signal.Signals(-code).name})'
    lines = (run.folder / 'run.log').read_text(encoding='utf-8', errors='replace').splitlines()
    for line in reversed(lines[-200:]):
        if line.startswith('error: '):
            return line.removeprefix('error: ')
        if re.match(r'[\w.]*(Error|Exception|Interrupt)\b', line):
            return line
    return f'exit code {code}, see {run.folder / "run.log"}'
