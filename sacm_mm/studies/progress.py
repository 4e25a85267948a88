"""How the runs of a study get on: live on a terminal, a line a run elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sacm_mm.studies.runs import Run


class RunsProgress:
    """Tell of runs as they go, with an estimate for all of them.

    Args:
        runs: All runs; those that are done count as done.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.total = len(runs)
        self.ended_runs = sum(run.done for run in runs)
        self._begun = time.monotonic()
        self._first: dict[str, float] = {}  # what a run had when it was taken up
        self._share: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._progress: Progress | None = None
        if sys.stdout.isatty():
            self._progress = Progress(
                TextColumn('{task.description}'),
                BarColumn(),
                TextColumn('{task.percentage:3.0f} %'),
                TimeElapsedColumn(),
                TextColumn('{task.fields[left]}'),
                console=Console(),
            )
            self._all = self._progress.add_task('[bold]all runs', total=self.total, left='')

    def __enter__(self) -> RunsProgress:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress:
            self._progress.stop()

    def started(self, run: Run) -> None:
        """Show a run."""
        share = run.steps_done() / run.study.steps
        self._first[run.name] = self._share[run.name] = share
        if self._progress:
            self._tasks[run.name] = self._progress.add_task(run.name, total=1, left='')
        else:
            print(f'{run.name} {"goes on" if share else "starts"}', flush=True)

    def moved(self, run: Run, steps: int) -> None:
        """Move its bar."""
        self._share[run.name] = steps / run.study.steps
        if self._progress:
            self._progress.update(self._tasks[run.name], completed=self._share[run.name])
            self._update()

    def ended(self, run: Run, figure: float | None, reason: str) -> None:
        """Say how it ended."""
        self._share[run.name] = 1.0
        self._first.setdefault(run.name, 1.0)  # did not even start: says nothing of the speed
        self.ended_runs += 1
        study = run.study
        result = (
            f'left out: {reason}'
            if figure is None
            else f'{study.metric_name} {figure:.4g} {study.unit}'.strip()
        )
        line = f'[{self.ended_runs}/{self.total}] {run.name}: {result}'
        if self._progress:
            self._progress.console.print(line, markup=False, highlight=False)
            if run.name in self._tasks:
                self._progress.remove_task(self._tasks.pop(run.name))
            self._update()
        else:
            print(f'{line}; {self._left()}', flush=True)

    def _update(self) -> None:
        assert self._progress
        running = sum(self._share[name] for name in self._tasks)
        done = self.ended_runs + running
        self._progress.update(self._all, completed=done, left=self._left())

    def _left(self) -> str:
        """Estimate from what this start has done in its time."""
        gained = sum(self._share[name] - first for name, first in self._first.items())
        running = [share for share in self._share.values() if share < 1]
        left = self.total - self.ended_runs - sum(running)
        if left <= 0:
            return 'all done'
        if gained <= 0:
            return f'{left:.0f} to go'
        return f'about {duration((time.monotonic() - self._begun) / gained * left)} to go'


def duration(seconds: float) -> str:
    """Write seconds as people do."""
    minutes = seconds / 60
    if minutes < 1:
        return f'{seconds:.0f} s'
    return f'{minutes:.0f} min' if minutes < 60 else f'{minutes // 60:.0f} h {minutes % 60:.0f} min'
