"""Milliseconds of a training step on one thread, with freed blocks kept and without.

Each in processes of its own, in turn, two visits; of each visit the median of three steps.
"""

import json
import statistics
import subprocess
import sys

import torch

from sacm_mm.benchmark.implementations import Setting, build
from sacm_mm.benchmark.measure import interleave, peak_resident
from sacm_mm.core.allocator import keep_freed_blocks
from sacm_mm.core.machine import stamp

SETTINGS = {  # architecture, size, batch: bytes of a map
    'd256-l8-k5-p2, 128 x 32x32': ('d256-l8-k5-p2', 32, 128),  # 32 MiB
    'd256-l8-k5-p5, 8 x 320x320': ('d256-l8-k5-p5', 320, 8),  # 32 MiB
    'd256-l8-k5-p5, 4 x 320x320': ('d256-l8-k5-p5', 320, 4),  # 16 MiB
}
NAMES = ('mmpretrain', 'plain', 'fast')


def visit(name, arch, size, batch, kept):
    torch.set_num_threads(1)
    if kept:
        keep_freed_blocks()
    call = build(name, Setting(arch, 'train', size, batch, 'float32', 'cpu'))
    median = interleave({name: call}, 3)[name].median
    print(json.dumps([median, peak_resident()]))


def main():
    print(stamp())
    for label, (arch, size, batch) in SETTINGS.items():
        for name in NAMES:
            found = {True: [], False: []}
            for _ in range(2):
                for kept, visits in found.items():
                    what = json.dumps([name, arch, size, batch, kept])
                    command = [sys.executable, '-W', 'ignore', __file__, what]
                    done = subprocess.run(command, check=True, capture_output=True, text=True)
                    visits.append(json.loads(done.stdout.splitlines()[-1]))
            times, peaks = (
                {kept: statistics.fmean(v[i] for v in visits) for kept, visits in found.items()}
                for i in (0, 1)
            )
            print(
                f'{label:28} {name:10} {1000 * times[False]:6.0f} -> {1000 * times[True]:6.0f} ms, '
                f'{times[False] / times[True]:.2f}x; '
                f'{peaks[False] / 2**20:.0f} -> {peaks[True] / 2**20:.0f} MiB'
            )


if __name__ == '__main__':
    if len(sys.argv) > 1:
        visit(*json.loads(sys.argv[1]))
    else:
        main()
