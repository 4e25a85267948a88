#!/usr/bin/env python
"""Check every kind of stock config, as it is and with other backbones in it."""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from stock_kinds import HEADS, Kind, stock_kinds

from sacm_mm.cli.common import run_tool
from sacm_mm.core.configs import host_config_folder, read_config
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable, write_csv, write_json, write_text
from sacm_mm.core.machine import stamp
from sacm_mm.core.processes import ChildError, Children, run_all
from sacm_mm.swap.checking import SIZES, check_config
from sacm_mm.swap.names import backbone_names
from sacm_mm.swap.swapping import image_size, swap_backbone

RUNS = 'runs'
WALL = 20  # times the limit, after which a process hangs


@dataclass(frozen=True)
class Row:
    """What became of one kind: ``'runs'`` or the reason why not, as it is and for each backbone."""

    kind: Kind
    stock: str
    swapped: dict[str, str]
    seconds: float

    @property
    def missed(self) -> list[str]:
        """Name the backbones that do not run where the stock model does."""
        return [name for name, verdict in self.swapped.items() if self.stock == RUNS != verdict]


def check_kind(kind: Kind, backbones: Sequence[str]) -> Row:
    """Check the smallest config of a kind, and the same with each backbone."""
    start = time.perf_counter()
    sizes: list[int | tuple[int, int]] = [*SIZES]
    try:
        cfg = read_config(kind.path)
        cfg.setdefault('default_scope', kind.host)  # some are of a model alone
        sizes.append(image_size(cfg))
        verdict = check_config(cfg, sizes)
        stock = RUNS if verdict.works else _told(verdict.reason, kind)
    except UserError as error:
        message = _told(str(error), kind)
        return Row(kind, message, dict.fromkeys(backbones, message), time.perf_counter() - start)
    swapped = {}
    for name in backbones:
        try:
            verdict = check_config(swap_backbone(cfg, name), sizes)
            swapped[name] = RUNS if verdict.works else _told(verdict.reason, kind)
        except UserError as error:
            swapped[name] = f'refused: {_told(str(error), kind)}'
    return Row(kind, stock, swapped, time.perf_counter() - start)


def _told(reason: str, kind: Kind) -> str:
    """Leave out where this machine has the host."""
    configs = host_config_folder(kind.host)
    return reason.replace(f'{configs}/', '').replace(f'{configs.parents[2]}/', '')


def check_kinds(
    kinds: Sequence[Kind],
    backbones: Sequence[str],
    processes: int,
    limit: int,
    done: Callable[[Row], None],
) -> None:
    """Check kinds in processes of their own, which share what is imported already.

    Args:
        kinds: What to check.
        backbones: Names for ``find_backbone``.
        processes: How many at a time, one thread each.
        limit: Seconds of CPU time for one kind; a process that takes longer is ended.
        done: Called with each row as it comes.
    """
    hosts = dict.fromkeys(f'{kind.host}.models' for kind in kinds)
    multiprocessing.set_forkserver_preload(['sacm_mm.swap.checking', 'sacm_mm.models', *hosts])

    def work(kind: Kind, _: int, children: Children) -> Row:
        start = time.monotonic()
        try:
            return children.call(_check_alone, kind, backbones, limit, limit_s=WALL * limit)
        except ChildError as error:
            reason = 'took too long' if error.code == -signal.SIGXCPU else str(error)
            verdicts = dict.fromkeys(backbones, reason)
            return Row(kind, reason, verdicts, time.monotonic() - start)

    with closing(run_all(kinds, work, processes)) as ended:
        for _, future in ended:
            done(future.result())


def _check_alone(kind: Kind, backbones: Sequence[str], limit: int) -> Row:
    """Check a kind in a process of its own."""
    # the hosts' own words go nowhere: there is one line a kind
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    torch.set_num_threads(1)
    # of its own time: a busy machine must not decide what runs
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    return check_kind(kind, backbones)


def write_rows(rows: Iterable[Row], path: Path) -> None:
    """Write rows as a CSV."""
    write_csv(
        [{'host': row.kind.host, 'kind': row.kind.name, 'configs': row.kind.configs,
          'config': row.kind.config, 'stock': row.stock, **row.swapped,
          'seconds': f'{row.seconds:.1f}'} for row in _sorted(rows)], path
    )  # fmt: skip


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.kind.host, row.kind.name))


def read_csv(path: Path, backbones: Sequence[str]) -> list[Row]:
    """Read rows back.

    Raises:
        UserError: They are of other backbones.
    """
    with path.open(encoding='utf-8', newline='') as file:
        reader = csv.DictReader(file)
        found = list(reader.fieldnames or ())[5:-1]
        if found != list(backbones):
            raise UserError(f"'{path}' has the backbones {', '.join(found)}: choose another --out")
        return [
            Row(
                Kind(row['host'], row['kind'], row['config'], int(row['configs'])),
                row['stock'],
                {name: row[name] for name in backbones},
                float(row['seconds']),
            )
            for row in reader
        ]


def table(rows: Sequence[Row]) -> str:
    """Lay rows out as a markdown table for the docs."""
    names = list(rows[0].swapped)
    lines = [
        f'| model, backbone, neck, heads | configs | stock | '
        f'{" | ".join(f"`{name}`" for name in names)} | reason |',
        f'|---|---|---|{"---|" * len(names)}---|',
    ]
    for row in _sorted(rows):
        verdicts = [row.stock, *row.swapped.values()]
        reasons = dict.fromkeys(verdict for verdict in verdicts if verdict != RUNS)
        cells = [
            RUNS if v == RUNS else 'refused' if v.startswith('refused') else '-' for v in verdicts
        ]
        lines.append(
            f'| {row.kind.name.replace(" | ", ", ")} | {row.kind.configs} | {" | ".join(cells)} | '
            f'{"; ".join(reasons).replace("|", "/")[:200]} |'
        )
    return '\n'.join(lines) + '\n'


def summary(rows: Sequence[Row]) -> str:
    """Count, in one line a host."""
    lines = []
    for host in dict.fromkeys(row.kind.host for row in rows):
        ours = [row for row in rows if row.kind.host == host]
        counts = [
            f'{name} in {sum(row.swapped[name] == RUNS for row in ours if row.stock == RUNS)}'
            for name in ours[0].swapped
        ]
        stock = sum(row.stock == RUNS for row in ours)
        lines.append(
            f'{host}: {len(ours)} kinds, {stock} run as they are; of these {", ".join(counts)}'
        )
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--out', type=Path, default='swap_matrix.csv', help='goes on where it ended'
    )
    parser.add_argument('--host', nargs='+', default=['mmseg', 'mmpretrain'],
                        choices=HEADS)  # fmt: skip
    parser.add_argument('--backbone', nargs='+', default=['sa-convmixer-d64-l4-k5-p4', 'convmlp-s'])
    parser.add_argument('--only', default='', metavar='TEXT', help='kinds with this in their name')
    parser.add_argument('--processes', type=int, default=os.cpu_count(), help='one thread each')
    parser.add_argument('--limit', type=int, default=600, help='seconds of CPU time for one kind')
    parser.add_argument('--again', action='store_true', help='also those that did not run before')
    args = parser.parse_args()
    check_writable(args.out.parent)
    run(args)


def run(args: argparse.Namespace) -> None:
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
            write_rows(rows.values(), args.out)
            verdict = f'no: {row.missed}' if row.missed else row.stock
            progress.console.print(
                f'{row.seconds:5.0f} s  {row.kind.name}: {verdict}', markup=False
            )
            progress.advance(task)

        check_kinds(waiting, args.backbone, args.processes, args.limit, done)
    write_text(table([*rows.values()]), args.out.with_suffix('.md'))
    write_json(made, args.out.with_suffix('.json'))
    print(summary([*rows.values()]))


if __name__ == '__main__':
    run_tool(main)
