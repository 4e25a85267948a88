"""The tables of a report: CSV for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sacm_mm.core.files import write_csv, write_text
from sacm_mm.core.machine import PACKAGES
from sacm_mm.core.templates import escape_markdown
from sacm_mm.studies.results import NetworkResult, RunResult, StudyResults


def write_tables(results: StudyResults, out: Path) -> None:
    """Write ``table.csv``, ``runs.csv`` and ``table.md``."""
    write_csv([_csv_row(results, network) for network in results.networks], out / 'table.csv')
    runs = [run_row(results, run) for run in results.runs]
    write_csv(runs, out / 'runs.csv')
    write_text(markdown(results), out / 'table.md')


def _csv_row(results: StudyResults, network: NetworkResult) -> dict[str, Any]:
    costs = network.costs
    return {
        'network': network.name,
        'label': network.label,
        'backbone': network.backbone,
        'parameters': costs.get('parameters', ''),
        'backbone_parameters': costs.get('backbone_parameters', ''),
        'macs': costs.get('macs', ''),
        'activations': costs.get('activations', ''),
        'latency_ms': costs.get('latency_ms', ''),
        'latency_lower_ms': costs.get('latency_lower_ms', ''),
        'latency_upper_ms': costs.get('latency_upper_ms', ''),
        'fastest': fastest_way(costs),
        'metric': results.study['metric'],
        'mean': f'{network.mean:.4f}',
        'spread': '' if network.spread is None else f'{network.spread:.4f}',
        'seeds': ' '.join(str(r.seed) for r in network.runs),
        'train_minutes': f'{network.minutes:.2f}',
        'last_fall_percent': '' if network.last_fall is None else f'{network.last_fall:.2f}',
        'budget': results.study['budget'],
    }


def run_row(results: StudyResults, run: RunResult) -> dict[str, Any]:
    """One run, with what made it."""
    stamp = run.stamp
    return {
        'run': run.folder.name,
        'metric': results.study['metric'],
        'figure': f'{run.figure:.4f}',
        'seed': run.seed,
        'train_seconds': f'{run.seconds:.0f}',
        'hardware': trained_on(results, stamp),
        **{name: stamp.get(name) or '' for name in PACKAGES},
        'python': stamp.get('python') or '',
        'commit': stamp.get('commit') or '',
        'command': run.command,
        'log': f'runs/{run.folder.name}/train.log',
    }


def hardware(stamp: Mapping[str, Any]) -> str:
    """Name the machine of a stamp."""
    if stamp.get('gpu'):
        return str(stamp['gpu'])
    threads = stamp.get('threads', '?')
    return f'{stamp.get("cpu", "unknown")}, {threads} thread{"" if threads == 1 else "s"}'


def trained_on(results: StudyResults, stamp: Mapping[str, Any]) -> str:
    """Name the machine of a training, and bfloat16 where the recipe took what the machine has."""
    wrapper = results.study['recipe'].get('optim_wrapper', {})
    taken = stamp.get('bfloat16') and 'BFloat16' in wrapper.get('type', '')
    return hardware(stamp) + (', bfloat16' if taken else '')


def columns(results: StudyResults) -> list[tuple[str, str]]:
    """Name the columns that people see, with their units."""
    study, (height, width) = results.study, results.study['size']
    unit = f', {study["unit"]}' if study['unit'] else ''
    better = 'higher is better' if study['higher_is_better'] else 'lower is better'
    return [
        ('network', ''),
        (f'{study["metric_name"]}{unit}', better),
        ('seeds', 'runs that are averaged'),
        ('parameters, M', 'of the whole network'),
        ('GMACs', f'one image of {height}x{width}'),
        ('activations, M', 'numbers that convolutions and matrix products write'),
        ('latency, ms', 'one image, float32, median of the fastest way'),
        ('training, min', 'a run: median iteration, times their number'),
        ('loss falls, %', 'of training, from the fourth fifth of the steps to the last'),
    ]


def cells(results: StudyResults, network: NetworkResult) -> list[tuple[str, float | str]]:
    """Fill them: what is shown, and what is sorted by."""
    costs = network.costs
    latency = costs.get('latency_ms')
    return [
        (network.label, network.label),
        (figure_text(results.study, network), network.mean),
        (str(len(network.runs)), len(network.runs)),
        _scaled(costs.get('parameters'), 1e6, 2),
        _scaled(costs.get('macs'), 1e9, 2),
        _scaled(costs.get('activations'), 1e6, 1),
        ('', '') if latency is None else (f'{latency:.1f} {fastest_way(costs)}'.strip(), latency),
        (f'{network.minutes:.1f}', network.minutes),
        _scaled(network.last_fall, 1, 1),
    ]


def fastest_way(costs: Mapping[str, Any]) -> str:
    """Name the way to run a network that its latency is of."""
    ways = costs.get('ways_ms', {})
    return min(ways, key=ways.get) if ways else ''


def figure_text(study: Mapping[str, Any], network: NetworkResult) -> str:
    """Write the mean, with the spread over the seeds where there is one."""
    digits = 2 if study['unit'] == '%' else 3
    spread = '' if network.spread is None else f' ± {network.spread:.{digits}f}'
    return f'{network.mean:.{digits}f}{spread}'


def _scaled(value: float | None, by: float, digits: int) -> tuple[str, float | str]:
    return ('', '') if value is None else (f'{value / by:.{digits}f}', value)


def provenance(results: StudyResults) -> list[str]:
    """Say in sentences what made the figures."""
    stamps = [run.stamp for run in results.runs]
    machines = sorted({trained_on(results, stamp) for stamp in stamps})
    versions = sorted({f'PyTorch {stamp.get("torch")}' for stamp in stamps})
    commits = sorted({str(stamp.get('commit'))[:10] for stamp in stamps})
    study = results.study
    lines = []
    if study['budget'] == 'tiny':
        lines.append('A look at the machinery: so short a training says nothing of the networks.')
    lines.append(
        f'Budget {study["budget"]}: {study["steps"]} steps a run. Trained on '
        f'{" and ".join(machines)} with {" and ".join(versions)}, commit {", ".join(commits)}.'
    )
    if results.costs:
        lines.append(f'Latency on {hardware(results.costs["stamp"])}, the networks timed in turn.')
    if any(network.spread is not None for network in results.networks):
        lines.append('Mean ± standard deviation over the seeds.')
    return lines


def command(study: Mapping[str, Any]) -> str:
    """Return the command that runs the study."""
    ours = f'sacm study run {study["name"]} --budget {study["budget"]}'
    return str(study.get('command', ours))


def markdown(results: StudyResults) -> str:
    """Write the table and what made it, the best network first."""
    study = results.study
    lines = [
        f'# {escape_markdown(study["title"])}',
        '',
        escape_markdown(study['about']),
        '',
        *table_lines(results),
        '',
        *(line for text in provenance(results) for line in (escape_markdown(text), '')),
        f'`{" ".join(command(study).split()).replace("`", "")}`',
        '',
    ]
    if results.left_out:
        lines += ['Left out:', '']
        lines += [
            f'- {escape_markdown(name)}: {escape_markdown(why)}' for name, why in results.left_out
        ]
    return '\n'.join(lines).rstrip() + '\n'


def table_lines(results: StudyResults) -> list[str]:
    """Write the networks as a Markdown table."""
    heads = [escape_markdown(name) for name, _ in columns(results)]
    lines = [f'| {" | ".join(heads)} |', f'|{"---|" * len(heads)}']
    for network in results.best_first():
        texts = [escape_markdown(text) for text, _ in cells(results, network)]
        lines.append(f'| {" | ".join(texts)} |')
    return lines
