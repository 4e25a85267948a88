#!/usr/bin/env python
"""Measure networks: what they cost, and how fast they are.

Example: python tools/benchmark.py complexity mmpretrain:resnet/18 --size 224
"""

import argparse
from importlib import import_module

from sacm_mm.cli.common import run_tool

# Each is a module of sacm_mm.benchmark.commands, with add_arguments(parser) and run(args).
VERBS = {
    'complexity': 'count parameters, multiplications and activations',
    'speed': 'time implementations of one network side by side',
    'scaling': 'time and memory against image area, depth and width',
    'loader': 'training steps with and without the data pipeline',
    'roofline': 'draw the speed of a CSV under what the machine can do',
    'gpu': 'measure what the fused GPU kernels gain',
}


def main() -> None:
    """Run a verb."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog='\n'.join(f'{verb:12}{text}' for verb, text in VERBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('verb', choices=VERBS, metavar='VERB', help='VERB --help says more')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    command = import_module(f'sacm_mm.benchmark.commands.{args.verb}')
    verb = argparse.ArgumentParser(
        prog=f'{parser.prog} {args.verb}', description=f'{VERBS[args.verb].capitalize()}.'
    )
    command.add_arguments(verb)
    command.run(verb.parse_args(args.arguments))


if __name__ == '__main__':
    run_tool(main)
