"""Measure what the fused GPU kernels gain."""

import argparse
from pathlib import Path

from sacm_mm.cli.benchmarks.types import positive
from sacm_mm.core.files import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('--out', type=Path, required=True, help='folder for tables and verdicts')
    parser.add_argument('--arch', default='d768-l32-k7-p7', help='architecture by name')
    parser.add_argument('--size', type=positive, default=224, help='pixels a side')
    parser.add_argument('--batch', type=positive, default=64, help='images a call')
    parser.add_argument('--rounds', type=positive, default=20, help='timed calls of each')
    parser.add_argument(
        '--against', default='timm', choices=['timm', 'mmpretrain'], help='whose network to beat'
    )
    parser.add_argument(
        '--device',
        default='cuda:0',
        help='torch device; cpu tries the measurement out, its figures mean nothing',
    )


def run(args: argparse.Namespace) -> None:
    """Measure everything, print a verdict a line and write the tables."""
    check_writable(args.out)

    from sacm_mm.benchmark.gpu import GpuSetting, measure_gpu

    settings = {key: getattr(args, key) for key in ('arch', 'size', 'batch', 'rounds', 'against')}
    measure_gpu(GpuSetting(**settings, device=args.device), args.out)
    print(args.out)
