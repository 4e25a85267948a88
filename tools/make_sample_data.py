"""Write procedural sample data in the layout of the real sets.

Example: python tools/make_sample_data.py voc camvid --out data
"""

import argparse
from functools import partial
from pathlib import Path

from rich.progress import track
from sample_data.layouts import WRITERS, Sizes, find_writers

from sacm_mm.cli.common import Parser, run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'names',
        nargs='*',
        default=['voc'],
        help=f'sets to write (default voc): {", ".join(WRITERS)}',
    )
    parser.add_argument('--out', type=Path, default=Path('data'), help='folder of the data sets')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same files')
    parser.add_argument('--train', type=int, help='number of training pictures')
    parser.add_argument('--val', type=int, help='number of validation pictures')
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'), help='picture size, px')
    return parser.parse_args()


def main() -> None:
    """Write the sets that the command line names."""
    args = parse_args()
    sizes = Sizes(args.train, args.val, tuple(args.size) if args.size else None)
    for name, write in zip(args.names, find_writers(args.names)):
        written = write(
            args.out, seed=args.seed, sizes=sizes, track=partial(track, description=name)
        )
        print(written.path if written.made else f'{written.path} (complete already)')


if __name__ == '__main__':
    run_tool(main)
