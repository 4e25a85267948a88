"""``sacm completion``."""

import argparse

from sacm_mm.core.errors import UserError

HELP = 'print what lets a shell complete verbs and flags with the tab key'
EPILOG = 'example: sacm completion bash > ~/.local/share/bash-completion/completions/sacm'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('shell', choices=['bash', 'zsh', 'tcsh'])


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise UserError('tab completion needs shtab: pip install shtab') from error

    from sacm_mm.cli.main import make_parser

    print(shtab.complete(make_parser(), shell=args.shell))
