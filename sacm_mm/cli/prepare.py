"""``sacm prepare SET``."""

import argparse
from functools import partial
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable

HELP = 'bring a published data set to the layout that the configs read'
EPILOG = (
    'example: sacm prepare nyu nyu_depth_v2_labeled.mat --splits splits.mat --classes40 '
    'classMapping40.mat --out data'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sets with their flags."""
    sets = parser.add_subparsers(dest='set', required=True)
    nyu = sets.add_parser('nyu', help='NYU Depth v2, the labelled part')
    nyu.add_argument('mat', type=Path, help='nyu_depth_v2_labeled.mat')
    nyu.add_argument('--splits', type=Path, required=True, help='splits.mat of the same site')
    nyu.add_argument(
        '--classes40',
        type=Path,
        help='classMapping40.mat, for masks of the 39 classes (the joint task); without it there '
        'are none',
    )
    nyu.add_argument('--out', type=Path, default=Path('data'), help='folder of the data sets')


def run(args: argparse.Namespace) -> None:
    """Prepare the set that the command line names."""
    check_writable(args.out)

    from rich.progress import track

    try:
        from sacm_mm.datasets.prepare_nyu import prepare_nyu
    except ModuleNotFoundError as error:
        raise UserError(f"this needs {error.name}: run 'pip install {error.name}'") from error

    progress = partial(track, description='images')
    print(prepare_nyu(args.mat, args.splits, args.classes40, args.out, progress))
