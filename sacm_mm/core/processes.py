"""Some child processes at a time: none outlives this process, and every end has its reason.

Each child is waited for by a thread of its own, so that ``concurrent.futures`` does the rest.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

Task = TypeVar('Task')
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5
_GRACE_S = 60.0  # for a training to write its checkpoint after SIGTERM


class ChildError(RuntimeError):
    """A child did not end as it should; ``code`` is its exit code, negative for a signal."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


def run_all(
    tasks: Iterable[Task],
    work: Callable[[Task, int, Children], Any],
    jobs: int,
    tick: Callable[[], None] = lambda: None,
) -> Generator[tuple[Task, Future], None, None]:
    """Work on tasks, some at a time, and yield each with its outcome as it ends.

    Close it where it may not be read to its end (``contextlib.closing``): then the children end.

    Args:
        tasks: They are taken one by one, when there is a place for one; what an iterator does for
            the next is done in this thread.
        work: Called in a thread with a task, the number of its place (0 to ``jobs - 1``) and what
            starts child processes.
        jobs: Places.
        tick: Called about twice a second, in this thread.
    """
    waiting = iter(tasks)
    places = list(range(jobs))
    running: dict[Future, tuple[Task, int]] = {}
    children = Children()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                while places:
                    try:
                        task = next(waiting)
                    except StopIteration:
                        break
                    place = places.pop(0)
                    running[pool.submit(work, task, place, children)] = (task, place)
                if not running:
                    return
                for future in wait(running, _POLL_S, FIRST_COMPLETED).done:
                    task, place = running.pop(future)
                    places.append(place)
                    yield task, future
                tick()
        finally:  # an error or Ctrl-C: the threads end when their children do
            children.stop()


class Children:
    """Starts child processes and waits for them; ``stop`` ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[Any] = set()
        self._stopped = False

    def run(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Run a command to its end; its output is appended to a file.

        Args:
            command: Program and arguments.
            log: File for what it prints.
            environment: Its environment variables; by default those of this process.
            pass_fds: Open files that it inherits, such as a lock.

        Raises:
            ChildError: It ended with another exit code than 0.
        """
        with log.open('a', encoding='utf-8') as file, self._lock:
            self._refuse_when_stopped()
            process = subprocess.Popen(
                command,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=pass_fds,
                preexec_fn=die_with_parent,
            )
            self._live.add(process)
        try:
            code = process.wait()
        finally:
            self._live.discard(process)
        if code:
            raise ChildError(_reason(code), code)

    def call(self, function: Callable, *arguments: Any, limit_s: float) -> Any:
        """Call a function in a child that starts with what the fork server has imported.

        Args:
            function: A function of a module.
            arguments: Of the function; they and the result are pickled.
            limit_s: Seconds after which the child is killed.

        Raises:
            ChildError: It died, or took too long.
        """
        context = multiprocessing.get_context('forkserver')
        receiver, sender = context.Pipe(duplex=False)
        with self._lock:
            self._refuse_when_stopped()
            process = context.Process(
                target=_answer, args=(function, arguments, sender), daemon=True
            )
            process.start()
            self._live.add(process)
        sender.close()
        try:
            if not receiver.poll(limit_s):
                process.kill()
                raise ChildError(f'hung for {limit_s:.0f} s', -signal.SIGKILL)
            return receiver.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            raise ChildError(_reason(code), code) from None
        finally:
            process.join()
            self._live.discard(process)

    def stop(self) -> None:
        """End all children and start no more; those that do not end in a minute are killed."""
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for process in live:
            process.terminate()
        timer = threading.Timer(_GRACE_S, lambda: [process.kill() for process in live])
        timer.daemon = True
        timer.start()
        for process in live:
            (process.wait if isinstance(process, subprocess.Popen) else process.join)()
        timer.cancel()

    def _refuse_when_stopped(self) -> None:
        if self._stopped:
            raise ChildError('stopped', -signal.SIGTERM)


def _answer(function: Callable, arguments: Sequence[Any], sender: Connection) -> None:
    die_with_parent()
    sender.send(function(*arguments))


def die_with_parent() -> None:
    """Have this process killed when the one that started it ends, however it ends."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reason(code: int) -> str:
    if code < 0:
        return f'killed by signal {-code} ({signal.Signals(-code).name})'
    return f'exit code {code}'


def cpu_share(jobs: int) -> int:
    """Return how many cores each of some processes has."""
    return max(1, len(os.sched_getaffinity(0)) // jobs)
