"""Child processes: some at a time, each with its outcome, and none left over."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sacm_mm.core.processes import ChildError, Children, cpu_share, run_all

SLEEPER = 'import os, time; print(os.getpid(), flush=True); time.sleep(600)'


def python(code):
    return [sys.executable, '-c', code]


def is_alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def wait_until(what, seconds=20):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_tasks_are_worked_on_some_at_a_time(tmp_path):
    places, taken = [], []

    def tasks():
        for number in range(5):
            taken.append(number)
            yield number

    def work(number, place, children):
        places.append(place)
        children.run(python(f'print({number}); exit({number == 3})'), tmp_path / f'{number}.log')
        return number * 10

    ended = dict(run_all(tasks(), work, jobs=2))
    assert sorted(ended) == taken == list(range(5))
    assert set(places) == {0, 1}
    assert [ended[n].result() for n in (0, 1, 2, 4)] == [0, 10, 20, 40]
    assert (tmp_path / '2.log').read_text() == '2\n'
    error = ended[3].exception()
    assert isinstance(error, ChildError) and (str(error), error.code) == ('exit code 1', 1)


def test_an_error_here_ends_the_children(tmp_path):
    def work(task, place, children):
        if task == 'quick':
            return None
        children.run(python(SLEEPER), tmp_path / 'log')

    log = tmp_path / 'log'
    with closing(run_all(['slow', 'quick'], work, 2)) as ended, pytest.raises(KeyboardInterrupt):
        for _ in ended:
            wait_until(lambda: log.exists() and log.read_text().endswith('\n'))
            raise KeyboardInterrupt
    assert not is_alive(int(log.read_text()))


def test_no_child_outlives_its_parent(tmp_path):
    log = tmp_path / 'log'
    code = f"""
from pathlib import Path
from sacm_mm.core.processes import run_all
def work(task, place, children):
    children.run({python(SLEEPER)}, Path({str(log)!r}))
list(run_all([1], work, 1))
"""
    parent = subprocess.Popen(python(code))
    wait_until(lambda: log.exists() and log.read_text().endswith('\n'))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(int(log.read_text())))


def test_functions_in_children():
    children = Children()
    assert children.call(os.path.join, 'a', 'b', limit_s=60) == 'a/b'
    with pytest.raises(ChildError, match='exit code 7'):
        children.call(os._exit, 7, limit_s=60)
    with pytest.raises(ChildError, match='killed by signal 6'):
        children.call(os.abort, limit_s=60)
    with pytest.raises(ChildError, match='hung for 1 s'):
        children.call(time.sleep, 600, limit_s=1)
    children.stop()
    with pytest.raises(ChildError, match='stopped'):
        children.call(os.getpid, limit_s=60)


def test_cores_are_shared():
    cores = len(os.sched_getaffinity(0))
    assert cpu_share(1) == cores and cpu_share(10 * cores) == 1
