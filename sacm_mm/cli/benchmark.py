"""``sacm benchmark VERB``."""

import argparse
from importlib import import_module

HELP = 'measure networks: what they cost, and how fast they are'
EPILOG = 'example: sacm benchmark complexity mmpretrain:resnet/18 --size 224'

# Each is a module of sacm_mm.cli.benchmarks, with add_arguments(parser) and run(args).
VERBS = {
    'complexity': 'count parameters, multiplications and activations',
    'speed': 'time implementations of one network side by side',
    'scaling': 'time and memory against image area, depth and width',
    'loader': 'training steps with and without the data pipeline',
    'roofline': 'draw the speed of a CSV under what the machine can do',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs with their flags."""
    verbs = parser.add_subparsers(dest='measurement', metavar='VERB', required=True)
    for name, text in VERBS.items():
        module = import_module(f'sacm_mm.cli.benchmarks.{name}')
        added = verbs.add_parser(name, help=text, description=f'{text.capitalize()}.')
        module.add_arguments(added)
        added.set_defaults(run_measurement=module.run)


def run(args: argparse.Namespace) -> None:
    """Run the verb."""
    args.run_measurement(args)
