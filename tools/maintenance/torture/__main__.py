"""Kill, starve, mislead and wear down every command, and write how each case ended.

    make torture
    python -m torture --only kills fuzz --seed 3

A group that ended is kept in the scratch folder and not run again for the same commit and seed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / 'tools'), str(ROOT / 'tools/maintenance')]
GROUPS = ('kills', 'disks', 'stops', 'hostile', 'inputs', 'fuzz', 'soak', 'parity')


def main() -> int:
    """Run the groups; the exit code says whether all cases ended as promised."""
    parser = argparse.ArgumentParser(description=__doc__, prog='torture')
    parser.add_argument('--seed', type=int, default=0, help='other moments, inputs and configs')
    parser.add_argument('--only', nargs='+', choices=GROUPS, default=GROUPS, help='these groups')
    parser.add_argument('--again', action='store_true', help='groups that are kept, too')
    parser.add_argument(
        '--failed',
        action='store_true',
        help='after a mend: only the cases that failed',
    )
    parser.add_argument('--folder', type=Path, default=ROOT / 'build/torture', help='scratch')
    parser.add_argument('--out', type=Path, help='the table (default: in the scratch folder)')
    args = parser.parse_args()
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ['HYPOTHESIS_STORAGE_DIRECTORY'] = str(args.folder.resolve() / 'hypothesis')
    if 'disks' in args.only and 'SACM_NAMESPACE' not in os.environ and shutil.which('unshare'):
        # tiny disks are mounted in a namespace of this run's own
        os.environ['SACM_NAMESPACE'] = '1'
        again = [sys.executable, '-m', 'torture', *sys.argv[1:]]
        os.execvp('unshare', ['unshare', '--map-root-user', '--mount', *again])

    from sacm_mm.core.machine import commit_of
    from torture.bench import Bench
    from torture.box import import_everything
    from torture.table import write_table

    import_everything()
    modules = {name: import_module(f'torture.{name}') for name in args.only}
    folder = args.folder.resolve()
    key = {'commit': commit_of(ROOT), 'seed': args.seed}
    for name in args.only:
        kept = folder / f'{name}.json'
        before: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {}
        if before and not args.failed and not args.again and before['key'] == key:
            continue  # of this commit already
        if args.failed and not before.get('failed'):
            continue
        print(name, flush=True)
        bench = Bench(name, args.seed, folder / name)
        if args.failed:
            bench.only = {case['case'] for case in before['failed']}
        modules[name].run(bench)
        summary = {'key': key, **bench.summary()}
        if args.failed:  # what is no case any more is no longer counted
            again = summary['cases']
            gone = len(before['failed']) - again
            summary = {**before, 'cases': before['cases'] - gone, 'failed': summary['failed'],
                       'again': f'{again} cases again at {key["commit"][:9]}'}  # fmt: skip
        kept.write_text(json.dumps(summary, indent=2))
    kept = {path.stem: json.loads(path.read_text()) for path in folder.glob('*.json')}
    summaries = [kept[name] for name in GROUPS if name in kept]
    write_table(summaries, args.out or folder / 'reliability.md')
    print(args.out or folder / 'reliability.md')
    return int(any(summary['failed'] for summary in summaries))


if __name__ == '__main__':
    sys.exit(main())
