"""Count parameters, multiplications and activations."""

import argparse
from pathlib import Path

from sacm_mm.cli.common import positive
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable_file
from sacm_mm.studies import RUNS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'networks',
        nargs='+',
        metavar='NETWORK',
        help='a study (camvid_seg) for all its networks, a config (sacm_voc.py), or a backbone by '
        'name (mmpretrain:resnet/18)',
    )
    parser.add_argument(
        '--size',
        nargs='+',
        type=positive,
        help="height and width in pixels, or one number for both (default: the study's, else 224)",
    )
    parser.add_argument('--budget', help='of studies (default: laptop)')
    parser.add_argument(
        '--latency',
        action='store_true',
        help='time the networks of studies anew, in turn, and keep that for the report',
    )
    parser.add_argument('--runs', type=Path, default=RUNS, help='folder of the runs')
    parser.add_argument('--out', type=Path, help='write a CSV')


def run(args: argparse.Namespace) -> None:
    """Print a line a network."""
    check_writable_file(args.out, ['.csv'], '--out writes a CSV')
    if args.size and len(args.size) > 2:
        raise UserError('--size takes a height and a width, or one number for both')
    if args.size and args.latency:
        raise UserError("--latency times a study's networks at its own size: leave out --size")

    from sacm_mm.core.files import write_csv
    from sacm_mm.studies.network_costs import count_networks

    rows: list[dict] = []
    for row in count_networks(args.networks, args.size, args.budget, args.runs, args.latency):
        if not rows:
            print(f'{"network":36} {"size":>9} {"parameters, M":>14} {"GMACs":>9} '
                  f'{"activations, M":>15}{"  latency, ms" if args.latency else ""}')  # fmt: skip
        rows.append(row)
        latency = f'{row["latency_ms"]:13.1f}' if args.latency and row.get('latency_ms') else ''
        print(
            f'{row["network"]:36} {row["size"]:>9} {row["parameters"] / 1e6:14.3f} '
            f'{row["macs"] / 1e9:9.3f} {row["activations"] / 1e6:15.2f}{latency}',
            flush=True,
        )
    if not rows:
        raise UserError('not one network could be counted: the notes above say why')
    if args.out:
        write_csv(rows, args.out)
        print(args.out)
