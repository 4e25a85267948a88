"""Time implementations each in processes of their own, in turn.

Run as ``python -m sacm_mm.benchmark.apart '<JSON>'`` it prints what one process measures. In one
process the threads of one runtime still spin while another one's call is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

from sacm_mm.benchmark.implementations import Setting
from sacm_mm.benchmark.measure import Timing, timing_of
from sacm_mm.core.machine import synchronize

_VISITS = 2  # processes of each implementation, one after the other's


class Apart(NamedTuple):
    """What processes measured.

    Attributes:
        timing: Of a call.
        start_s: Least seconds from the network's build to the end of its first call, where
            compilers work.
    """

    timing: Timing
    start_s: float


def measure_apart(
    built: Mapping[str, str], settings: Mapping[str, Setting], rounds: int
) -> dict[str, Apart]:
    """Time implementations, each visited several times.

    Args:
        built: What each is, see ``implementations.what_to_build``.
        settings: What is measured of each.
        rounds: Timed calls of each, over all visits.
    """
    found: dict[str, list[dict]] = {name: [] for name in settings}
    calls = -(-rounds // _VISITS)
    for _ in range(_VISITS):
        for name, setting in settings.items():
            found[name].append(_visit(built[name], setting, calls))
    return {
        name: Apart(
            timing_of([seconds for visit in visits for seconds in visit['seconds']]),
            round(min(visit['start_s'] for visit in visits), 3),
        )
        for name, visits in found.items()
    }


def _visit(name: str, setting: Setting, calls: int) -> dict:
    import torch

    what = dict(name=name, setting=asdict(setting), calls=calls, threads=torch.get_num_threads())
    command = [sys.executable, '-W', 'ignore', '-m', __name__, json.dumps(what)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:  # what was asked for had been checked: not a mistake of the user
        raise RuntimeError(f'measuring {name} failed:\n{done.stderr}')
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure what the command line says."""
    what = json.loads(sys.argv[1])

    import torch

    from sacm_mm.benchmark.implementations import build

    torch.set_num_threads(what['threads'])
    setting = Setting(**what['setting'])
    start = time.perf_counter()
    call = build(what['name'], setting)
    call()
    synchronize(setting.device)
    started = time.perf_counter() - start
    call()
    synchronize(setting.device)
    seconds = []
    for _ in range(what['calls']):
        start = time.perf_counter()
        call()
        synchronize(setting.device)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({'seconds': seconds, 'start_s': started}))


if __name__ == '__main__':
    main()
