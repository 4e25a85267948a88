"""``sacm VERB ...``: every verb is a module of this package.

A verb's module has ``HELP`` (one line), ``add_arguments(parser)`` and ``run(args)``, and imports
what is heavy in ``run``, so that help and mistakes are answered at once. ``run`` returns an exit
code, or nothing for 0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from sacm_mm.cli.common import Parser, call, run_tool
from sacm_mm.core.configs import find_config

VERBS = (
    'data',
    'check',
    'train',
    'test',
    'predict',
    'export',
    'convert',
    'swap',
    'study',
    'benchmark',
    'plot',
    'prepare',
    'completion',
)


def make_parser() -> argparse.ArgumentParser:
    """Build the parser of all verbs."""
    parser = Parser(prog='sacm', description='Train, test, use and compare networks for pictures.')
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    for verb in VERBS:
        module = import_module(f'sacm_mm.cli.{verb}')
        added = verbs.add_parser(
            verb,
            help=module.HELP,
            description=module.HELP,
            epilog=getattr(module, 'EPILOG', None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(added)
        added.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; return 0, 2 for what the user can mend, or the verb's own exit code."""
    try:
        args = make_parser().parse_args(argv)
    except SystemExit as end:  # --help, or flags that do not exist
        return end.code if isinstance(end.code, int) else 1
    return call(_run, args)


def _run(args: argparse.Namespace) -> int | None:
    for name in (getattr(args, 'config', None), getattr(args, 'model', None)):
        if isinstance(name, str) and name.endswith('.py') and ':' not in name:
            find_config(name)  # a mistyped one is said now, not when the hosts are loaded
    return args.run(args)


def entry() -> NoReturn:
    """Run the command line and exit: the console script ``sacm``."""
    tool()


def tool(*verb: str) -> NoReturn:
    """Run one verb with the arguments of a script: what ``tools/`` calls."""
    run_tool(lambda: main([*verb, *sys.argv[1:]]))
