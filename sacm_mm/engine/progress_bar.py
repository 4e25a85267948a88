"""A live progress bar for people who watch."""

import logging
import sys

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class ProgressBarHook(Hook):
    """Show iterations, elapsed and remaining time of training and testing on a terminal.

    Other log lines scroll above the bar. Where the output is not a terminal nothing is drawn: the
    host's log lines carry the ETA there.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._streams: list[tuple[logging.StreamHandler, object]] = []

    def _start(self, runner: Runner, name: str, total: int, done: int = 0) -> None:
        if not is_main_process() or not sys.stdout.isatty():
            return
        self._progress = Progress(
            TextColumn('[bold]{task.description}'),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn('elapsed'),
            TimeElapsedColumn(),
            TextColumn('eta'),
            TimeRemainingColumn(),
            TextColumn('{task.fields[loss]}'),
            console=Console(),
        )
        self._progress.start()
        self._progress.add_task(name, total=total, completed=done, loss='')
        # rich prints what goes to the new sys.stdout above the bar; loggers hold the old one
        for handler in runner.logger.handlers:
            if type(handler) is logging.StreamHandler:
                self._streams.append((handler, handler.setStream(sys.stdout)))
                handler.addFilter(_is_no_step)

    def _stop(self) -> None:
        if self._progress is None:
            return
        for handler, stream in self._streams:
            handler.setStream(stream)
            handler.removeFilter(_is_no_step)
        self._streams.clear()
        self._progress.stop()
        self._progress = None

    def before_train(self, runner: Runner) -> None:
        """Start the bar of the training loop."""
        self._start(runner, 'train', runner.max_iters, runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Advance by one iteration."""
        if self._progress is not None:
            loss = f'loss {float(outputs["loss"]):.3f}' if outputs and 'loss' in outputs else ''
            self._progress.update(self._progress.task_ids[0], advance=1, loss=loss)

    def after_train(self, runner: Runner) -> None:
        """End the bar."""
        self._stop()

    def before_test(self, runner: Runner) -> None:
        """Start the bar of the test loop."""
        self._start(runner, 'test', len(runner.test_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Advance by one batch."""
        if self._progress is not None:
            self._progress.advance(self._progress.task_ids[0])

    def after_test(self, runner: Runner) -> None:
        """End the bar."""
        self._stop()


def _is_no_step(record: logging.LogRecord) -> bool:
    """The bar shows what the log lines of training steps say."""
    return '(train)' not in record.getMessage()
