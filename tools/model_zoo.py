#!/usr/bin/env python
"""Make the metafiles and the README's tables from the results, or check that they are up to date.

Example: python tools/model_zoo.py --check
"""

import argparse
from pathlib import Path

from sacm_mm.cli import run_tool
from sacm_mm.errors import UserError
from sacm_mm.zoo import COSTS, made_files, stale


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--root', type=Path, default=Path(), help='folder of the project')
    parser.add_argument('--check', action='store_true', help='write nothing; fail when stale')
    parser.add_argument(
        '--measure', action='store_true', help=f'count the listed networks anew into {COSTS}'
    )
    args = parser.parse_args()
    if args.measure:
        from sacm_mm.comparison.costs import measure_zoo

        measure_zoo(args.root)
    if args.check:
        if old := stale(args.root):
            names = ', '.join(map(str, old))
            raise UserError(f"{names} is not what results/ says: run 'python tools/model_zoo.py'")
        return
    for path, text in made_files(args.root).items():
        (args.root / path).write_text(text, encoding='utf-8')
        print(path)


if __name__ == '__main__':
    run_tool(main)
