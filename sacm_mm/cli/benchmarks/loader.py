"""Training steps of configs with and without their data pipelines."""

import argparse
import tempfile
from pathlib import Path

from sacm_mm.cli.common import add_options, positive
from sacm_mm.core.files import check_writable_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('config', nargs='+', help='training configs')
    parser.add_argument('--fast', action='store_true', help='as tools/train.py --fast')
    add_options(parser)
    parser.add_argument('--steps', type=positive, default=20, help='steps a phase')
    parser.add_argument('--rounds', type=positive, default=3, help='phases of each kind')
    parser.add_argument('--out', type=Path, help='write a CSV with versions and hardware')


def run(args: argparse.Namespace) -> None:
    """Measure each config, print a line and write the CSV."""
    check_writable_file(args.out, ['.csv'], '--out writes a CSV')

    from sacm_mm.apis.train import prepare_train
    from sacm_mm.benchmark.loader import measure_loader
    from sacm_mm.core.configs import load_config
    from sacm_mm.core.files import write_csv

    rows = []
    configs = {name: load_config(name, args.options) for name in args.config}
    for name, loaded in configs.items():
        with tempfile.TemporaryDirectory() as folder:
            cfg = prepare_train(loaded, folder, fast=args.fast)
            measured = measure_loader(cfg, args.steps, args.rounds)
        rows.append({'config': Path(name).name, 'fast': args.fast, **measured})
        print(
            f'{rows[-1]["config"]}: {measured["trained_images_per_s"]} images/s, '
            f'{measured["share_of_bare"]:.1%} of the {measured["bare_images_per_s"]} without '
            f'loading; loading alone {measured["loading_images_per_s"]}',
            flush=True,
        )
        if args.out:
            write_csv(rows, args.out)
