"""The tables of a report: CSV for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sacm_mm.core.files import write_csv, write_text
from sacm_mm.core.machine import PACKAGES
from sacm_mm.studies.results import Comparison, Result, RowSummary


def write_tables(comparison: Comparison, out: Path) -> None:
    """Write ``table.csv``, ``runs.csv`` and ``table.md``."""
    write_csv([_csv_row(comparison, row) for row in comparison.rows], out / 'table.csv')
    runs = [run_row(comparison, r) for row in comparison.rows for r in row.results]
    write_csv(runs, out / 'runs.csv')
    write_text(markdown(comparison), out / 'table.md')


def _csv_row(comparison: Comparison, row: RowSummary) -> dict[str, Any]:
    costs = row.costs
    return {
        'row': row.name,
        'label': row.label,
        'backbone': row.backbone,
        'parameters': costs.get('parameters', ''),
        'backbone_parameters': costs.get('backbone_parameters', ''),
        'macs': costs.get('macs', ''),
        'activations': costs.get('activations', ''),
        'latency_ms': costs.get('latency_ms', ''),
        'latency_lower_ms': costs.get('latency_lower_ms', ''),
        'latency_upper_ms': costs.get('latency_upper_ms', ''),
        'metric': comparison.study['metric'],
        'mean': f'{row.mean:.4f}',
        'spread': '' if row.spread is None else f'{row.spread:.4f}',
        'seeds': ' '.join(str(r.seed) for r in row.results),
        'train_minutes': f'{row.minutes:.2f}',
        'budget': comparison.study['budget'],
    }


def run_row(comparison: Comparison, result: Result) -> dict[str, Any]:
    """One run, with what made it."""
    stamp = result.stamp
    return {
        'run': result.folder.name,
        'metric': comparison.study['metric'],
        'figure': f'{result.figure:.4f}',
        'seed': result.seed,
        'train_seconds': f'{result.seconds:.0f}',
        'hardware': hardware(stamp),
        **{name: stamp.get(name) or '' for name in PACKAGES},
        'python': stamp.get('python') or '',
        'commit': stamp.get('commit') or '',
        'command': result.about['commands'][0],
        'log': f'runs/{result.folder.name}/train.log',
    }


def hardware(stamp: Mapping[str, Any]) -> str:
    """Name the machine of a stamp."""
    if stamp.get('gpu'):
        return str(stamp['gpu'])
    threads = stamp.get('threads', '?')
    return f'{stamp.get("cpu", "unknown")}, {threads} thread{"" if threads == 1 else "s"}'


def columns(comparison: Comparison) -> list[tuple[str, str]]:
    """Name the columns that people see, with their units."""
    study, (height, width) = comparison.study, comparison.study['size']
    unit = f', {study["unit"]}' if study['unit'] else ''
    better = 'higher is better' if study['higher_is_better'] else 'lower is better'
    return [
        ('network', ''),
        (f'{study["metric_name"]}{unit}', better),
        ('seeds', 'runs that are averaged'),
        ('parameters, M', 'of the whole network'),
        ('GMACs', f'one image of {height}x{width}'),
        ('activations, M', 'numbers that convolutions and matrix products write'),
        ('latency, ms', 'one image, float32, median'),
        ('training, min', 'a run: the median iteration, times their number'),
    ]


def cells(comparison: Comparison, row: RowSummary) -> list[tuple[str, float | str]]:
    """Fill them: what is shown, and what is sorted by."""
    costs = row.costs
    latency = costs.get('latency_ms')
    return [
        (row.label, row.label),
        (figure_text(comparison.study, row), row.mean),
        (str(len(row.results)), len(row.results)),
        _scaled(costs.get('parameters'), 1e6, 2),
        _scaled(costs.get('macs'), 1e9, 2),
        _scaled(costs.get('activations'), 1e6, 1),
        ('', '') if latency is None else (f'{latency:.1f}', latency),
        (f'{row.minutes:.1f}', row.minutes),
    ]


def figure_text(study: Mapping[str, Any], row: RowSummary) -> str:
    """Write the mean, with the spread over the seeds where there is one."""
    digits = 2 if study['unit'] == '%' else 3
    spread = '' if row.spread is None else f' ± {row.spread:.{digits}f}'
    return f'{row.mean:.{digits}f}{spread}'


def _scaled(value: float | None, by: float, digits: int) -> tuple[str, float | str]:
    return ('', '') if value is None else (f'{value / by:.{digits}f}', value)


def provenance(comparison: Comparison) -> list[str]:
    """Say in sentences what made the figures."""
    results = [r for row in comparison.rows for r in row.results]
    machines = sorted({hardware(r.stamp) for r in results})
    versions = sorted({f'PyTorch {r.stamp.get("torch")}' for r in results})
    commits = sorted({str(r.stamp.get('commit'))[:10] for r in results})
    study = comparison.study
    lines = [
        f'Budget {study["budget"]}: {study["steps"]} steps a run. Trained on '
        f'{" and ".join(machines)} with {" and ".join(versions)}, commit {" and ".join(commits)}.',
        f'`{command(study)}`',
    ]
    if study['budget'] == 'tiny':
        lines.insert(
            0, 'A look at the machinery: so short a training says nothing of the networks.'
        )
    if comparison.costs:
        lines.insert(
            -1, f'Latency on {hardware(comparison.costs["stamp"])}, the networks timed in turn.'
        )
    if any(row.spread is not None for row in comparison.rows):
        lines.insert(-1, 'Mean ± standard deviation over the seeds.')
    return lines


def command(study: Mapping[str, Any]) -> str:
    """Write the command that runs the study."""
    return f'python tools/study.py run {study["name"]} --budget {study["budget"]}'


def markdown(comparison: Comparison) -> str:
    """Write the table and what made it, the best row first."""
    study = comparison.study
    heads = [name for name, _ in columns(comparison)]
    lines = [
        f'# {study["title"]}',
        '',
        study['about'],
        '',
        *table_lines(comparison, heads),
        '',
        *(line for text in provenance(comparison) for line in (text, '')),
    ]
    if comparison.left_out:
        lines += ['Left out:', '']
        lines += [f'- {name}: {reason}' for name, reason in comparison.left_out]
    return '\n'.join(lines).rstrip() + '\n'


def table_lines(comparison: Comparison, heads: list[str]) -> list[str]:
    """Write the rows under the columns named, as a Markdown table."""
    names = [name for name, _ in columns(comparison)]
    places = [names.index(head) for head in heads]
    lines = [f'| {" | ".join(heads)} |', f'|{"---|" * len(heads)}']
    for row in comparison.best_first():
        texts = [text for text, _ in cells(comparison, row)]
        lines.append(f'| {" | ".join(texts[i] for i in places)} |')
    return lines
