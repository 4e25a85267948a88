"""Seconds until Python has imported the package, and until a tool has printed its help."""

import subprocess
import sys
from pathlib import Path

from sacm_mm.benchmark.measure import interleave
from sacm_mm.core.machine import stamp

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    'import torch': ['-c', 'import torch'],
    'import mmengine, mmcv, torch': ['-c', 'import mmengine, mmcv, torch'],
    'import sacm_mm': ['-c', 'import sacm_mm'],
    'tools/train.py --help': ['tools/train.py', '--help'],
}


def call(arguments):
    command = [sys.executable, '-W', 'ignore', *arguments]
    return lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


print(stamp())
for name, t in interleave({name: call(a) for name, a in COMMANDS.items()}, 9).items():
    print(f'{name:30} {t.median:.2f} s ({t.lower:.2f} to {t.upper:.2f})')
