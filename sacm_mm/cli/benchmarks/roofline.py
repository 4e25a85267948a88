"""Draw how near the rows of a CSV of ``speed`` come to what the machine can do."""

import argparse
import csv
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('csv', type=Path, help='what speed --out has written')
    parser.add_argument(
        '--out', type=Path, default=Path('roofline.webp'), help='PNG or WebP to write'
    )


def run(args: argparse.Namespace) -> None:
    """Read the rows and draw them."""
    check_writable_file(args.out, ['.png', '.webp'], '--out writes a picture')
    with args.csv.open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    if not any(row.get('flop_per_byte') for row in rows):
        raise UserError(f"'{args.csv}' has no row with FLOPs: write it with the verb speed")
    machines = {(row['cpu'], row['gpu'], row['threads']) for row in rows}
    if len(machines) > 1:
        raise UserError(f"'{args.csv}' is of several machines or numbers of threads: draw one")

    from sacm_mm.core.files import save_figure
    from sacm_mm.visualization.roofline import draw_roofline

    save_figure(draw_roofline(rows), args.out)
    print(args.out)
