"""``sacm convert``."""

import argparse
from pathlib import Path

HELP = "convert published weights to a checkpoint and a config, or a checkpoint to ConvMixer's"
EPILOG = 'example: sacm convert VOC.h5 voc.pth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'source',
        type=Path,
        help="the authors' Keras .h5 or CIFAR-10 .pt, a ConvMixer of locuslab, timm or mmpretrain, "
        'a ConvMLP of SHI-Labs; with --to, a classification checkpoint of ours',
    )
    parser.add_argument('out', type=Path, help='checkpoint to write (.pth), its config beside it')
    parser.add_argument('--to', metavar='NAMING', help='locuslab, timm or mmpretrain')


def run(args: argparse.Namespace) -> None:
    """Convert and print what was written."""
    from sacm_mm.convert.save import convert, convert_back

    written = (
        convert_back(args.source, args.out, args.to) if args.to else convert(args.source, args.out)
    )
    for path in written:
        print(path)
