"""``sacm test``."""

import argparse

from sacm_mm.cli.common import (
    add_common_arguments,
    add_model,
    add_running,
    flags_of,
    imports_kept,
    use_local_rank,
)

HELP = 'test a checkpoint or an exported file on the test data of its config'
EPILOG = """\
examples:
  sacm test work_dirs/mine --tta
  sacm test sacm_camvid_light.py weights.pth"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_model(parser)
    add_common_arguments(parser)
    add_running(parser)
    parser.add_argument('--tta', action='store_true', help='test-time augmentation of the config')
    parser.add_argument(
        '--out',
        help='save predictions: a folder of masks (segmentation), of depth in millimetres, or a '
        '.pkl (classification)',
    )
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', help='save painted predictions in this folder')
    parser.add_argument('--wait-time', type=float, default=2, help='seconds that --show waits')
    parser.add_argument(
        '--grid', help='save a picture grid, image | truth | prediction, to this PNG'
    )
    parser.add_argument(
        '--report',
        metavar='FOLDER',
        help='make a folder: figures of each class, confusion, the worst and best pictures, a page',
    )


def run(args: argparse.Namespace) -> None:
    """Test, and say where the sheet of pictures is."""
    use_local_rank(args)
    from sacm_mm.apis.test import test

    with imports_kept():
        test(args.model, **flags_of(args, 'model', 'local_rank'))
    if args.report:
        print(f'{args.report}/index.html')
    if args.grid:
        print(args.grid)
