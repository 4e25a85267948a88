"""Memory of implementations, counted in a process of its own.

Run as ``python -m sacm_mm.benchmark.memory '<JSON>'`` it prints the bytes. A process that has done
other things holds memory for them, and what it counts depends on that.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from sacm_mm.benchmark.implementations import Setting

_CALLS = 2


def own_memory(name: str, setting: Setting) -> int | None:
    """Return the bytes that a process needs at the peak of a call, beyond those before it builds.

    Weights, what the implementation makes of them, activations and whatever it keeps: all of it,
    and nothing of other implementations. None where the kernel does not count that.

    Args:
        name: See ``implementations.build``.
        setting: What is measured, on the CPU.
    """
    return _in_process([(name, setting)], 'needed')[0]


def call_memory(points: Sequence[tuple[str, Setting]]) -> list[int | None]:
    """Return for each point the bytes that a call needs beyond the network, in one process."""
    return _in_process(points, 'called')


def _in_process(points: Sequence[tuple[str, Setting]], kind: str) -> list[int | None]:
    import torch

    what = {
        'points': [(name, asdict(setting)) for name, setting in points],
        'kind': kind,
        'threads': torch.get_num_threads(),
    }
    command = [sys.executable, '-W', 'ignore', '-m', __name__, json.dumps(what)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:  # it was timed in this process: not a mistake of the user
        raise RuntimeError(f'measuring memory failed:\n{done.stderr}')
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure what the command line says."""
    what = json.loads(sys.argv[1])

    import torch

    from sacm_mm.core.allocator import hand_back_freed_blocks

    torch.set_num_threads(what['threads'])
    count = {'needed': _needed, 'called': _called}[what['kind']]
    with hand_back_freed_blocks():
        found = [count(name, Setting(**setting)) for name, setting in what['points']]
    print(json.dumps(found))


def _called(name: str, setting: Setting) -> int | None:
    from sacm_mm.benchmark.implementations import build
    from sacm_mm.benchmark.measure import peak_memory

    call = build(name, setting)
    call()
    memory = peak_memory(call, setting.device)
    del call
    gc.collect()
    return memory


def _needed(name: str, setting: Setting) -> int | None:
    from sacm_mm.benchmark.implementations import build, is_file
    from sacm_mm.benchmark.measure import peak_resident, resident

    if not is_file(name):  # loads code, of compilers too
        build(name, replace(setting, arch='d32-l1-k3-p4', size=8, batch=1))()
    before = resident()
    if before is None:
        return None
    call = build(name, setting)
    call()  # what only the first needs, such as a compiler
    resident()
    for _ in range(_CALLS):
        call()
    return max(peak_resident() - before, 0)


if __name__ == '__main__':
    main()
