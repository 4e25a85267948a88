"""The memory of one implementation, in a process of its own.

Run as ``python -m sacm_mm.benchmark.memory '<JSON>'`` it prints the bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
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
    import torch

    what = {'name': name, 'setting': asdict(setting), 'threads': torch.get_num_threads()}
    command = [sys.executable, '-W', 'ignore', '-m', __name__, json.dumps(what)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:  # it was timed in this process: not a mistake of the user
        raise RuntimeError(f'measuring the memory of {name} failed:\n{done.stderr}')
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure what the command line says."""
    what = json.loads(sys.argv[1])

    import torch

    from sacm_mm.benchmark.measure import exact_counting

    torch.set_num_threads(what['threads'])
    with exact_counting():
        print(json.dumps(_needed(what['name'], Setting(**what['setting']))))


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
