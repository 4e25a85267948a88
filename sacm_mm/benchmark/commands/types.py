"""What the flags of several verbs are read with."""

import argparse
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable


def positive(text: str) -> int:
    """Read an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError('must be at least 1')
    return number


def check_csv(path: Path | None) -> None:
    """Refuse a path that is no CSV or cannot be written."""
    if path is None:
        return
    if path.suffix != '.csv':
        raise UserError(f"--out writes a CSV: let '{path}' end in .csv")
    check_writable(path.parent)


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names the runs of a study."""
    parser.add_argument('study', help='name in configs/comparison (camvid_seg), or a config file')
    parser.add_argument(
        '--budget',
        choices=['full', 'laptop', 'tiny'],
        default='laptop',
        help='full: GPUs; laptop: at most ten minutes a run on two cores; tiny: a look at the '
        'machinery (default: laptop)',
    )
    parser.add_argument(
        '--runs', type=Path, default=Path('work_dirs/comparison'), help='folder of the runs'
    )
