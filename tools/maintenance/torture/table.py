"""The table of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sacm_mm.core.files import write_text
from sacm_mm.core.machine import stamp

TITLES = {
    'kills': 'SIGKILL while training, saving, validating, reporting, exporting, preparing',
    'disks': 'Full disks, read-only folders, folders that vanish',
    'stops': 'Ctrl-C, SIGTERM, a loader worker or one of two processes killed, divergence',
    'hostile': 'Files that want to run code, read others or take all memory',
    'inputs': 'Bad input to every command',
    'fuzz': 'Configs with generated faults: train, test, export, swap',
    'soak': 'Long runs: memory after 200 steps and at the end',
    'parity': 'Two processes against one',
}


def write_table(summaries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the table of what was run."""
    machine = stamp()
    lines = [
        '# How this was tried to break', '',
        f'`make torture` on {machine["cpu"]} ({machine["cores"]} cores), Python '
        f'{machine["python"]}, PyTorch {machine["torch"]}. A case is as promised if nothing is '
        'lost, torn, executed or silently wrong, and what is refused is refused in one line, with '
        'exit code 2.', '',
        '| group | what | cases | as promised | minutes | commit | seed |',
        '|---|---|---|---|---|---|---|',
    ]  # fmt: skip
    for summary in summaries:
        name, cases, failed = summary['group'], summary['cases'], summary['failed']
        lines.append(
            f'| {name} | {TITLES[name]} | {cases} | {cases - len(failed)} '
            f'| {summary["minutes"]:.1f} | {summary["key"]["commit"][:9]} | '
            f'{summary["key"]["seed"]} |'
        )
    cases = sum(summary['cases'] for summary in summaries)
    failed = [case for summary in summaries for case in summary['failed']]
    minutes = sum(summary['minutes'] for summary in summaries)
    lines += [
        f'| all | | {cases} | {cases - len(failed)} | {minutes:.1f} | | |',
        '',
        '## Counts',
        '',
    ]
    for summary in summaries:
        if 'again' in summary:
            lines.append(f'- {summary["group"]}: {summary["again"]}, after a mend')
        for note, count in summary['notes'].items():
            lines.append(f'- {summary["group"]}: {note}: {count}')
    if failed:
        lines += ['', '## Not as promised', '']
        lines += [f'- {case["case"]}: {case["problem"]}' for case in failed]
    write_text('\n'.join(lines) + '\n', path)
