#!/usr/bin/env python
"""Convert published weights to a checkpoint and a config, or a checkpoint to ConvMixer's weights.

Example: python tools/convert_weights.py VOC.h5 voc.pth
"""

import argparse
from pathlib import Path

from sacm_mm.cli.common import run_tool


def main() -> None:
    """Convert and print what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'source',
        type=Path,
        help="the authors' Keras .h5 or CIFAR-10 .pt, a ConvMixer of locuslab, timm or mmpretrain, "
        'a ConvMLP of SHI-Labs; with --to, a classification checkpoint of ours',
    )
    parser.add_argument('out', type=Path, help='checkpoint to write (.pth), its config beside it')
    parser.add_argument('--to', metavar='NAMING', help='locuslab, timm or mmpretrain')
    args = parser.parse_args()

    from sacm_mm.convert.save import convert, convert_back

    written = (
        convert_back(args.source, args.out, args.to) if args.to else convert(args.source, args.out)
    )
    for path in written:
        print(path)


if __name__ == '__main__':
    run_tool(main)
