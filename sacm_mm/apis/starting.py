"""The start of a run, and what ends it from outside: said in one line.

Until its first step is done, whatever goes wrong is the config's, the data's or the machine's: the
values of a config are handed to the hosts' and PyTorch's code, which have exceptions of their own.
Nothing is left of such a run. Later errors are bugs, and keep their traceback.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import synchronize
from pathlib import Path

from mmengine.config import Config

from sacm_mm.core.errors import UserError, causes, mistakes_named, one_line

_WORKER = re.compile(r'DataLoader worker .*?(exited unexpectedly|killed by signal: \w+)', re.DOTALL)
_PARTNER = re.compile(r'gloo|NCCL|Connection (reset|closed) by peer|Broken pipe|ProcessGroup')


class Start:
    """How far a run has come, and what it has written."""

    def __init__(self) -> None:
        self.done = False  # a step is
        self.validating = self.validated = False
        self._before: set[Path] = set()
        self._missing: list[Path] = []
        self._written: list[Path] = []

    def writes_to(self, work_dir: str | Path) -> None:
        """Note what is in the folder before the run."""
        folder = Path(work_dir).resolve()
        self._before = {path.resolve() for path in folder.glob('*')}
        self._missing = [path for path in (folder, *folder.parents) if not path.exists()]

    def wrote(self, path: str | Path) -> None:
        """Note a file or folder of this run; other processes may write beside it."""
        path = Path(path).resolve()
        if path not in self._before:
            self._written.append(path)

    def called(self, place: str) -> None:
        """Follow the run by the names of the places where it calls its hooks."""
        if place in ('after_train_iter', 'after_test_iter'):
            self.done = True
        elif place in ('before_val', 'after_val'):
            self.validating = place == 'before_val'
            self.validated = self.validated or not self.validating

    def drop_torn(self) -> None:
        """Remove the figures of a test that the host has not written to their end."""
        for path in (file for folder in self._written for file in folder.glob('*.json')):
            try:
                json.loads(path.read_text(encoding='utf-8'))
            except ValueError:
                path.unlink()

    def undo(self) -> None:
        """Remove what a run has written that has not come to its first step."""
        if os.environ.get('RANK', '0') != '0':
            return
        for path in self._written:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for folder in self._missing:  # the innermost first; what others write to is not empty
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def starting(cfg: Config) -> Iterator[Start]:
    """Run a config: say what is wrong with its start, and what has ended it from outside.

    Raises:
        UserError: The run does not come to its first step, or to the end of its first validation;
            or another process that it needs has ended.
    """
    start = Start()
    name = f"config '{cfg.filename}'" if cfg.filename else 'the config'
    before = threading.excepthook, logging.raiseExceptions
    threading.excepthook = _say_of_thread
    logging.raiseExceptions = False  # a log that cannot be written is no reason for tracebacks
    try:
        try:
            yield start
        except Exception as error:
            _raise_from_outside(error, cfg.get('work_dir'))
            if start.done and not (start.validating and not start.validated):
                raise
            what = 'does not validate' if start.done else 'does not run'
            with mistakes_named(f'{name} {what}'):
                raise
    except Exception:
        start.drop_torn()
        if not start.done:
            start.undo()
        raise
    finally:
        threading.excepthook, logging.raiseExceptions = before


def _makes_semaphores(error: BaseException) -> bool:
    places = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
    return synchronize.__file__ in places


def _say_of_thread(args: threading.ExceptHookArgs) -> None:
    """Say in one line that a thread of a logger cannot write: the run itself goes on."""
    if isinstance(args.exc_value, OSError):
        print(f'note: a logger stops: {one_line(args.exc_value)}', file=sys.stderr)
    else:
        threading.__excepthook__(args)


def _raise_from_outside(error: Exception, work_dir: str | None) -> None:
    """Say what has ended a run, where that was another process or the disk."""
    alone = os.environ.get('WORLD_SIZE', '1') == '1'
    for cause in causes(error):
        if isinstance(cause, UserError):
            return
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC and not cause.filename:
            raise UserError(f"cannot write to '{work_dir}': {cause.strerror}") from error
        if isinstance(cause, OSError) and _makes_semaphores(cause):
            raise UserError(
                f'this machine gives data loaders no shared memory, /dev/shm ({cause.strerror}): '
                'set num_workers=0 and persistent_workers=False of train_dataloader and the others'
            ) from error
        found = _WORKER.search(str(cause)) if isinstance(cause, RuntimeError) else None
        # a worker that dies while it sends leaves half a message
        if found or (alone and isinstance(cause, (ConnectionError, EOFError))):
            how = f' ({found.group(1)})' if found else ''
            raise UserError(
                f'a worker of a data loader has ended{how}, perhaps for want of memory: go on with '
                '--resume, with fewer train_dataloader.num_workers'
            ) from error
        if not alone and isinstance(cause, (RuntimeError, OSError)) and _PARTNER.search(str(cause)):
            raise UserError(
                'another process of this run has ended or cannot be reached: its own output says '
                'why; start all of them again with --resume'
            ) from error
