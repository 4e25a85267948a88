"""Commands in processes of their own, forked from this one, which has imported what they need.

A fork is a process like any other: it can be killed, run out of disk or take all memory, without
the seconds that importing the hosts takes.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing.process
import os
import pkgutil
import resource
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / 'tools'
_POLL_S = 0.005
_HEAVY = (
    'mmseg.models', 'mmseg.datasets', 'mmseg.evaluation', 'mmseg.engine', 'mmseg.visualization',
    'mmpretrain.models', 'mmpretrain.datasets', 'mmpretrain.evaluation', 'mmpretrain.engine',
    'mmpretrain.visualization', 'mmengine.runner', 'matplotlib.pyplot', 'onnx', 'onnxruntime',
    'openvino', 'h5py', 'scipy.io', 'torch.export', 'torch._dynamo', 'safetensors.torch',
    'tensorboard', 'torch.utils.tensorboard', 'torture.hooks',
)  # fmt: skip


def import_everything() -> None:
    """Import what commands import while they run; nothing is computed here, so no threads start."""
    import sacm_mm

    for name in _HEAVY:
        import_module(name)
    for info in pkgutil.walk_packages(sacm_mm.__path__, 'sacm_mm.'):
        if '__main__' not in info.name and 'triton' not in info.name and '.gpu' not in info.name:
            import_module(info.name)
    gc.freeze()


@dataclass
class Ended:
    """How a command ended: exit code (negative for a signal), what it printed, its peak memory."""

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int

    def refusal(self) -> str:
        """Return the one line of a command that refuses.

        Raises:
            AssertionError: It ended otherwise.
        """
        # decoders of pictures and HDF5 have their own say about a broken file
        lines = [line for line in self.err.splitlines() if line.startswith('error: ')]
        assert self.code == 2, f'exit code {self.code}: {self.tail()}'
        assert 'Traceback' not in self.err + self.out, f'traceback: {self.tail()}'
        assert len(lines) == 1, f'{len(lines)} error lines: {self.tail()}'
        return lines[0]

    def tail(self) -> str:
        """Return the last line that was printed."""
        lines = (self.err.strip() or self.out.strip()).splitlines() or ['']
        return lines[-1][:300]


@dataclass
class Command:
    """A command that runs."""

    pid: int
    log: Path
    started: float = field(default_factory=time.monotonic)
    _ended: Ended | None = None

    def poll(self) -> Ended | None:
        """Return how it ended, if it has."""
        if self._ended is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._ended = Ended(
                    os.waitstatus_to_exitcode(status),
                    self._read('out'),
                    self._read('err'),
                    time.monotonic() - self.started,
                    usage.ru_maxrss * 1024,
                )
        return self._ended

    def wait(self, limit_s: float = 180) -> Ended:
        """Wait for its end.

        Raises:
            AssertionError: It hangs; it is killed then.
        """
        until = time.monotonic() + limit_s
        while (ended := self.poll()) is None:
            if time.monotonic() > until:
                self.end()
                raise AssertionError(f'still running after {limit_s:.0f} s')
            time.sleep(_POLL_S)
        return ended

    def send(self, number: int) -> None:
        """Send a signal to the process, not to its children."""
        os.kill(self.pid, number)

    def end(self) -> None:
        """Kill it with all of its children."""
        os.killpg(self.pid, signal.SIGKILL)
        while self.poll() is None:
            time.sleep(_POLL_S)

    def children(self) -> list[int]:
        """List the processes that it has started."""
        return children_of(self.pid)

    def rss(self) -> int:
        """Return the memory that it holds now, in bytes."""
        pages = Path(f'/proc/{self.pid}/statm').read_text().split()[1]
        return int(pages) * resource.getpagesize()

    def out(self) -> str:
        """Return what it has printed so far."""
        return self._read('out') + self._read('err')

    def _read(self, kind: str) -> str:
        path = self.log.with_suffix(f'.{kind}')
        return path.read_text('utf-8', 'replace') if path.exists() else ''


def children_of(pid: int) -> list[int]:
    """List the children of a process."""
    try:
        return [int(n) for n in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    except OSError:
        return []


def start(
    arguments: Sequence[object],
    cwd: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    limits: Mapping[int, int] | None = None,
) -> Command:
    """Start a command in a process of its own.

    Args:
        arguments: Of ``sacm``; or a script of ``tools/``, by its path there, and its arguments.
        cwd: Its folder.
        log: Without a suffix: what it prints goes to ``.out`` and ``.err``.
        environment: Further environment variables.
        limits: Limits of ``resource``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # until it is at the command, a signal would end the fork, not the command
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setsid()
            code = _run([str(a) for a in arguments], cwd, log, environment or {}, limits or {})
        finally:
            os._exit(code)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    return Command(pid, log)


def _run(
    arguments: list[str],
    cwd: Path,
    log: Path,
    environment: Mapping[str, str],
    limits: Mapping[int, int],
) -> int:
    """Do what Python does with a script, from its arguments to its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    # the parent's are not this one's to wait for
    vars(multiprocessing.process)['_children'] = set()
    for descriptor, kind in ((1, 'out'), (2, 'err')):
        file = os.open(log.with_suffix(f'.{kind}'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(cwd)
    os.environ.update(environment)
    for which, value in limits.items():
        resource.setrlimit(which, (value, value))
    from yapf.yapflib import yapf_api

    # the looks of a config's dump take half the time of a tiny run
    yapf_api.FormatCode = lambda text, **_: (text, True)
    script = TOOLS / arguments[0]
    code = 0
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    except KeyboardInterrupt:  # while Python starts, so to speak
        return 130
    try:
        if script.suffix == '.py' and script.is_file():
            sys.argv = [str(script), *arguments[1:]]
            sys.path[0] = str(script.parent)
            runpy.run_path(str(script), run_name='__main__')
        else:
            sys.argv = ['sacm', *arguments]
            from sacm_mm.cli.main import entry

            entry()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(Exception):  # as at the end of Python, where they do not change the exit code
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code
