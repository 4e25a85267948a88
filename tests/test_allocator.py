"""What a step frees is there for the next one."""

import subprocess
import sys

import pytest

STEPS = """
import resource

import torch

from sacm_mm.core.allocator import keep_freed_blocks


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(20_000_000).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


by_itself = [faults() for _ in range(6)][-1]
keep_freed_blocks()
kept = [faults() for _ in range(12)][-1]
print(by_itself, kept)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='of glibc')
def test_a_large_block_is_mapped_once():
    done = subprocess.run([sys.executable, '-c', STEPS], capture_output=True, text=True, check=True)
    by_itself, kept = map(int, done.stdout.split())
    assert by_itself > 1000  # pages of 4 KiB, or of 64
    assert kept < 10
