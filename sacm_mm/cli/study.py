"""``sacm study VERB``."""

import argparse
from pathlib import Path

from sacm_mm.cli.common import positive
from sacm_mm.studies import RUNS

HELP = 'compare networks under one recipe: run, report, list, new'
EPILOG = 'example: sacm study run camvid_seg --networks resnet18 --seeds 0 1 2'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs with their flags."""
    verbs = parser.add_subparsers(dest='action', metavar='VERB', required=True)
    run = verbs.add_parser('run', help='train and test the networks of a study')
    _add_study(run)
    run.add_argument('--networks', nargs='+', metavar='NETWORK', help='only these')
    run.add_argument('--seeds', nargs='+', type=int, help="(default: the study's)")
    run.add_argument('--jobs', type=positive, help='runs at a time (default: one, or one a device)')
    run.add_argument(
        '--devices',
        nargs='+',
        default=[],
        metavar='DEVICE',
        help='cpu, cuda:0, ...: the jobs are spread over them',
    )
    run.add_argument(
        '--no-costs',
        action='store_true',
        help='leave latencies and other costs to a later call, on the machine that counts',
    )
    report = verbs.add_parser('report', help='gather its runs: tables, plots, one page')
    _add_study(report)
    report.add_argument(
        '--out',
        type=Path,
        help='folder of the report (default: results/STUDY; for the tiny budget, beside the runs)',
    )
    report.add_argument(
        '--rebuild',
        action='store_true',
        help='from what the folder keeps alone: take no further runs in',
    )
    listing = verbs.add_parser('list', help='list the studies, or how far the runs of one are')
    _add_study(listing, nargs='?')
    new = verbs.add_parser('new', help='write a study: backbones in turn in a config')
    new.add_argument(
        'config', help='a config, the name of one of ours, or the folder that `sacm data` made'
    )
    new.add_argument('--backbones', nargs='+', required=True, help='names of `sacm swap --list`')
    new.add_argument('--out', type=Path, help='file to write (default: CONFIG_study.py)')


def run(args: argparse.Namespace) -> None:
    """Run the verb."""
    {'run': _run, 'report': _report, 'list': _list, 'new': _new}[args.action](args)


def _add_study(parser: argparse.ArgumentParser, **kwargs) -> None:
    """Add what names the runs of a study."""
    parser.add_argument(
        'study', help='name in configs/studies (camvid_seg), or a config file', **kwargs
    )
    parser.add_argument(
        '--budget',
        help="one of the study's: tiny, a look at the machinery; laptop, at most ten minutes a run "
        'on two cores (default); medium, up to three hours of a core; full, for GPUs',
    )
    parser.add_argument('--runs', type=Path, default=RUNS, help='folder of the runs')


def _run(args: argparse.Namespace) -> None:
    from sacm_mm.studies.actions import run_study
    from sacm_mm.studies.study import load_study

    study = load_study(args.study, args.budget)
    costs = not args.no_costs
    run_study(study, args.networks, args.seeds, args.jobs, args.devices, args.runs, costs=costs)
    print(f'sacm study report {study.call_name} --budget {study.budget}')


def _report(args: argparse.Namespace) -> None:
    from sacm_mm.studies.actions import report_folder, report_study
    from sacm_mm.studies.report import write_report
    from sacm_mm.studies.study import load_study

    if args.rebuild:
        found = write_report(
            args.out or report_folder(Path(args.study).stem, args.budget, args.runs)
        )
    else:
        found = report_study(load_study(args.study, args.budget), args.out, args.runs)
    for name, reason in found.left_out:
        print(f'left out {name}: {reason}')
    print((found.folder / 'table.md').read_text(encoding='utf-8'))
    print(found.folder / 'index.html')


def _list(args: argparse.Namespace) -> None:
    from sacm_mm.studies.actions import list_studies, plan_runs
    from sacm_mm.studies.study import load_study

    if args.study is None:
        for path in list_studies(args.budget):
            study = load_study(str(path), args.budget)
            print(f'{study.name:16} {len(study.networks):3} networks  {study.title}')
        return
    study = load_study(args.study, args.budget)
    for run in plan_runs(study, root=args.runs):
        state = 'done' if run.done else f'{run.steps_done()} of {study.steps} steps'
        print(f'{run.name:32} {state}')


def _new(args: argparse.Namespace) -> None:
    from sacm_mm.studies.new import new_study
    from sacm_mm.studies.study import load_study

    study = load_study(str(new_study(args.config, args.backbones, args.out)))
    print(f'{study.path}: {len(study.networks)} networks')
    print(study.command)
