#!/usr/bin/env python
"""Check every kind of stock config, as it is and with other backbones in it."""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

from sacm_mm.cli import check_writable, run_tool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default='swap_matrix.csv', help='goes on where it ended'
    )
    parser.add_argument('--host', nargs='+', default=['mmseg', 'mmpretrain'],
                        choices=['mmseg', 'mmpretrain'])  # fmt: skip
    parser.add_argument('--backbone', nargs='+', default=['sa-convmixer-d64-l4-k5-p4', 'convmlp-s'])
    parser.add_argument('--only', default='', metavar='TEXT', help='kinds with this in their name')
    parser.add_argument('--processes', type=int, default=os.cpu_count(), help='one thread each')
    parser.add_argument('--limit', type=int, default=600, help='seconds of CPU time for one kind')
    parser.add_argument('--again', action='store_true', help='also those that did not run before')
    args = parser.parse_args()
    check_writable(args.out.parent)
    run(args)


def run(args: argparse.Namespace) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from sacm_mm.provenance import stamp
    from sacm_mm.swap.kinds import stock_kinds
    from sacm_mm.swap.matrix import RUNS, check_kinds, read_csv, summary, table, write_csv
    from sacm_mm.swap.names import backbone_names

    made = {'command': shlex.join(['python', *sys.argv]), **stamp()}
    backbone_names()  # imports what the processes share
    rows = {}
    if args.out.is_file():
        rows = {(r.kind.host, r.kind.name): r for r in read_csv(args.out, args.backbone)}
    kinds = [kind for host in args.host for kind in stock_kinds(host, args.processes)]
    waiting = [kind for kind in kinds if args.only in kind.name]
    for kind in [*waiting]:
        row = rows.get((kind.host, kind.name))
        if row and not (args.again and (row.stock != RUNS or row.missed)):
            waiting.remove(kind)
    columns = ('{task.description}', BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task('kinds', total=len(waiting))

        def done(row) -> None:
            rows[row.kind.host, row.kind.name] = row
            write_csv([*rows.values()], args.out)
            verdict = f'no: {row.missed}' if row.missed else row.stock
            progress.console.print(
                f'{row.seconds:5.0f} s  {row.kind.name}: {verdict}', markup=False
            )
            progress.advance(task)

        check_kinds(waiting, args.backbone, args.processes, args.limit, done)
    args.out.with_suffix('.md').write_text(table([*rows.values()]))
    args.out.with_suffix('.json').write_text(json.dumps(made, indent=2) + '\n')
    print(summary([*rows.values()]))


if __name__ == '__main__':
    run_tool(main)
