#!/usr/bin/env python
"""Measure what networks cost on this machine.

Example: python tools/benchmark.py speed plain fast mmpretrain timm --size 320 --out speed.csv
"""

import argparse
from itertools import product
from pathlib import Path

from sacm_mm.cli import check_writable, run_tool
from sacm_mm.errors import UserError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar='VERB')
    speed = verbs.add_parser('speed', help='time implementations of one network side by side')
    speed.set_defaults(run=run_speed)
    speed.add_argument(
        'implementation',
        nargs='*',
        default=['plain', 'fast', 'mmpretrain'],
        help='plain and fast (ours), mmpretrain, timm, a file of tools/export.py, or '
        'openvino:FILE.onnx; the others are compared with the first',
    )
    speed.add_argument('--arch', default='d512-l12-k5-p5', help='architecture by name')
    speed.add_argument('--mode', nargs='+', default=['forward'], choices=['forward', 'train'])
    speed.add_argument('--size', nargs='+', type=_positive, default=[320], help='pixels a side')
    speed.add_argument('--batch', nargs='+', type=_positive, default=[1], help='images a call')
    speed.add_argument(
        '--dtype', nargs='+', default=['float32'], choices=['float32', 'bfloat16', 'float16']
    )
    speed.add_argument('--threads', type=_positive, help="of the CPU (default: PyTorch's choice)")
    speed.add_argument('--rounds', type=_positive, default=20, help='timed calls of each')
    speed.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    speed.add_argument('--out', type=Path, help='write a CSV with versions and hardware')
    return parser.parse_args()


def run_speed(args: argparse.Namespace) -> None:
    """Measure every combination of the flags, print a line a row and write the CSV."""
    if args.out:
        if args.out.suffix != '.csv':
            raise UserError(f"--out writes a CSV: let '{args.out}' end in .csv")
        check_writable(args.out.parent)

    import torch

    from sacm_mm.benchmark.implementations import Setting
    from sacm_mm.benchmark.speed import describe, measure, write_csv

    if args.threads:
        torch.set_num_threads(args.threads)
    device = args.device or ('cuda:0' if torch.cuda.is_available() else 'cpu')
    rows = []
    for mode, size, batch, dtype in product(args.mode, args.size, args.batch, args.dtype):
        setting = Setting(args.arch, mode, size, batch, dtype, device)
        for row in measure(args.implementation, setting, args.rounds):
            print(describe(row), flush=True)
            rows.append(row)
        if args.out:  # what is measured is not lost
            write_csv(rows, args.out)
    if args.out:
        print(args.out)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return number


def main() -> None:
    """Run a verb."""
    args = parse_args()
    args.run(args)


if __name__ == '__main__':
    run_tool(main)
