"""Train and test every row of a comparison."""

import argparse

from sacm_mm.benchmark.commands.types import add_study_arguments, positive
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_study_arguments(parser)
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='only these')
    parser.add_argument('--seeds', nargs='+', type=int, help="(default: the study's)")
    parser.add_argument('--jobs', type=positive, default=1, help='runs at a time')
    parser.add_argument(
        '--devices',
        nargs='+',
        default=[],
        metavar='DEVICE',
        help='cpu, cuda:0, ...: the jobs are spread over them',
    )
    parser.add_argument('--list', action='store_true', help='show the rows and how far they are')


def run(args: argparse.Namespace) -> None:
    """Run what is not done, then measure what the rows cost."""
    from sacm_mm.comparison.costs import keep_costs
    from sacm_mm.comparison.progress import TableProgress
    from sacm_mm.comparison.runs import all_runs
    from sacm_mm.comparison.study import choose_rows, load_study
    from sacm_mm.comparison.training import train_all

    check_writable(args.runs)
    study = load_study(args.study, args.budget)
    rows = choose_rows(study, args.rows)
    runs = all_runs(study, rows, args.seeds or study.seeds, args.runs)
    if args.list:
        for item in runs:
            state = 'done' if item.done else f'{item.steps_done()} of {study.steps} steps'
            print(f'{item.name:32} {state}')
        return
    with TableProgress(runs) as progress:
        failed = train_all(runs, args.jobs, args.devices, progress)
    keep_costs(study, rows, args.runs)
    if failed:
        names = ', '.join(item.name for item in failed)
        raise UserError(f'{len(failed)} of {len(runs)} runs failed ({names}); the others are done')
    print(f'python tools/benchmark.py report {args.study} --budget {args.budget}')
