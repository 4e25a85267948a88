"""The memory of one implementation, in a process of its own.

Run as ``python -m sacm_mm.benchmark.memory '<JSON>'`` it prints the bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

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

    from sacm_mm.benchmark.implementations import build
    from sacm_mm.benchmark.measure import count_exactly, peak_resident, resident

    torch.set_num_threads(what['threads'])
    count_exactly()
    tiny = dict(what['setting'], arch='d32-l1-k3-p4', size=8, batch=1)
    if not what['name'].endswith(('.onnx', '.pt2')):
        for _ in range(2):
            build(what['name'], Setting(**tiny))()  # loads code, of compilers too
    build_setting = Setting(**what['setting'])
    before = resident()
    if before is None:
        print('null')
        return
    call = build(what['name'], build_setting)
    call()  # what only the first needs, such as a compiler
    resident()
    for _ in range(_CALLS):
        call()
    print(max(peak_resident() - before, 0))


if __name__ == '__main__':
    main()
