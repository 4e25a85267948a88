"""``sacm plot``."""

import argparse
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable_file

HELP = 'draw the learning curves of one or several runs'
EPILOG = 'example: sacm plot work_dirs/a work_dirs/b --out curves.png --keys loss mIoU'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'runs', nargs='+', type=Path, metavar='RUN', help='work dir of a run, or its scalars.json'
    )
    parser.add_argument('--out', type=Path, required=True, help='picture to write (.png, .svg)')
    parser.add_argument('--csv', type=Path, help='also write the figures: run,step,key,value')
    parser.add_argument(
        '--keys', nargs='+', help='what to draw (default: loss and the validation figures)'
    )


def run(args: argparse.Namespace) -> None:
    """Read the logs, then write the picture and the table."""
    check_writable_file(args.out)
    # nor a log that is read, nor --out
    check_writable_file(args.csv, ['.csv'], '--csv writes a table')

    from sacm_mm.core.files import save_figure
    from sacm_mm.core.run_log import read_scalars
    from sacm_mm.visualization.curves import choose_keys, draw_curves, name_runs, save_table

    runs = {name: read_scalars(path) for name, path in zip(name_runs(args.runs), args.runs)}
    keys = choose_keys(runs, args.keys)
    figure = draw_curves(runs, keys)
    kinds = figure.canvas.get_supported_filetypes()
    if args.out.suffix[1:] not in kinds:
        raise UserError(f"cannot draw '{args.out}': its name must end in .{', .'.join(kinds)}")
    save_figure(figure, args.out)
    if args.csv:
        save_table(runs, keys, args.csv)
    print(args.out)
