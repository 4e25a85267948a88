"""Gather the runs of a comparison: tables, plots, one page."""

import argparse
from pathlib import Path

from sacm_mm.benchmark.commands.types import add_study_arguments
from sacm_mm.core.files import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_study_arguments(parser)
    parser.add_argument(
        '--out',
        type=Path,
        help='folder of the report (default: results/STUDY; for the tiny budget, beside the runs)',
    )
    parser.add_argument(
        '--rebuild',
        action='store_true',
        help='from what the folder keeps alone: take no further runs in',
    )


def run(args: argparse.Namespace) -> None:
    """Take finished runs in, then write the report."""
    name = Path(args.study).stem
    beside = args.runs / name / args.budget / 'report'
    out = args.out or (beside if args.budget == 'tiny' else Path('results', name))
    check_writable(out)

    from sacm_mm.comparison.report import write_report

    if not args.rebuild:
        from sacm_mm.comparison.gather import gather
        from sacm_mm.comparison.study import load_study

        for run_name in gather(load_study(args.study, args.budget), args.runs, out):
            print(f'took in {run_name}')
    comparison = write_report(out)
    for run_name, reason in comparison.left_out:
        print(f'left out {run_name}: {reason}')
    print((out / 'table.md').read_text(encoding='utf-8'))
    print(out / 'index.html')
