"""``sacm check``: check a data set; or, without one, this installation and machine."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = 'check a data set; or, without one, what is installed and what this machine can do'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sacm check``."""
    parser.add_argument('data', nargs='?', type=Path, help="folder that 'sacm data' wrote")
    parser.add_argument(
        '--out', type=Path, help='page to write (default: check.html in the folder)'
    )


def run(args: argparse.Namespace) -> None:
    """Check, print what was found, and write the page.

    Raises:
        UserError: Something of the data set is wrong.
    """
    if args.data is None:
        from sacm_mm.cli.installation import check_installation

        print('\n'.join(check_installation()))
        return
    from sacm_mm.core.errors import UserError
    from sacm_mm.own_data.checking import check
    from sacm_mm.own_data.findings import as_text
    from sacm_mm.own_data.page import NAME, write_page

    report = check(args.data)
    page = args.out or args.data / NAME
    write_page(report, page)
    print('\n'.join(as_text(report)))
    print(f'page: {page}')
    if report.wrong:
        more = f', and {len(report.wrong) - 1} more' if len(report.wrong) > 1 else ''
        raise UserError(f'{report.wrong[0].line}{more}: see {page}')
