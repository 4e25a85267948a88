#!/usr/bin/env python
"""Make the metafiles and the tables of README and docs, or check that they are up to date.

Example: python tools/maintenance/model_zoo.py --check

Nothing heavy is imported, so that ``make check`` can tell at once.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sacm_mm.cli.common import run_tool
from sacm_mm.core.errors import UserError
from sacm_mm.studies.pareto import pareto_front

COSTS = 'results/complexity.csv'
METAFILE = Path('configs/metafile.yml')
TOOL = 'tools/maintenance/model_zoo.py'
PAGES = ('README.md', 'docs/configs.md', 'docs/results.md', 'docs/swap.md')
MATRICES = {  # of results/: with what installed they were made
    'swap_matrix': '',
    'swap_matrix_ops': " with mmcv's operators and onedl-mmdetection",
    'swap_matrix_det': " with mmcv's operators",
}
_HOSTS = {'mmseg': 'mmsegmentation', 'mmpretrain': 'mmpretrain', 'mmdet': 'mmdetection'}
_BLOCK = re.compile(r'(<!-- (zoo|study|configs|swap):? ?(\w*) -->\n)(.*?)(<!-- end -->)', re.DOTALL)
_FOLDER_LINK = re.compile(r'\[([^]]+)\]\((?:results|configs)/[^)]*\)')
_TASKS = {
    'mIoU': 'Semantic Segmentation',
    'Top 1 Accuracy': 'Image Classification',
    'abs rel': 'Depth Estimation',
}
_MADE = f'# Made by {TOOL} from results/; edit results/zoo.yml instead.\n'


def made_files(root: Path) -> dict[Path, str]:
    """Make every file that follows from the results, by its path under ``root``.

    Raises:
        UserError: A result or a cost that ``results/zoo.yml`` names is missing.
    """
    zoo = yaml.safe_load((root / 'results/zoo.yml').read_text(encoding='utf-8'))
    costs = _costs(root)
    entries = {model['name']: _entry(model, root, costs) for model in zoo['models']}
    files = {
        METAFILE: _metafile(zoo['collections'], list(entries.values())),
        Path('model-index.yml'): _MADE + _dump({'Import': [str(METAFILE)]}),
    }
    for page in PAGES:
        text = (root / page).read_text(encoding='utf-8')
        text = fill(text, zoo['models'], entries, root)
        # the site has no folders to link to
        files[Path(page)] = _FOLDER_LINK.sub(r'\1', text) if page.startswith('docs/') else text
    return files


def stale(root: Path) -> list[Path]:
    """List the files that are not what the results make them."""
    return [
        path
        for path, text in made_files(root).items()
        if not (root / path).is_file() or (root / path).read_text(encoding='utf-8') != text
    ]


def measure(root: Path) -> None:
    """Count the networks that ``results/zoo.yml`` lists."""
    from mmengine.config import Config

    from sacm_mm.benchmark.complexity import count_config
    from sacm_mm.core.files import write_csv

    rows: list[dict[str, Any]] = []
    for model in yaml.safe_load((root / 'results/zoo.yml').read_text(encoding='utf-8'))['models']:
        height, width = model['size']
        found = count_config(Config.fromfile(root / 'configs' / model['config']), model['size'])
        rows.append({'network': model['config'], 'size': f'{height}x{width}', **found})
    write_csv(rows, root / COSTS)


def _costs(root: Path) -> dict[str, dict[str, str]]:
    path = root / COSTS
    if not path.is_file():
        return {}
    with path.open(encoding='utf-8') as file:
        return {row['network']: row for row in csv.DictReader(file)}


def _entry(model: Mapping[str, Any], root: Path, costs: Mapping) -> dict[str, Any]:
    """Write one model in OpenMMLab's format. ``FLOPs`` are multiplications, as the hosts' are."""
    cost = costs.get(model['config'])
    if cost is None or cost['size'] != 'x'.join(map(str, model['size'])):
        raise UserError(
            f'{COSTS} has no {model["config"]} at {model["size"]}: run {TOOL} --measure'
        )
    metrics = model.get('reported') or _measured(model, root)
    task = next(task for key, task in _TASKS.items() if key in metrics)
    entry: dict[str, Any] = {
        'Name': model['name'],
        'In Collection': model['collection'],
        'Metadata': {'FLOPs': int(cost['macs']), 'Parameters': int(cost['parameters'])},
        'Results': [{'Task': task, 'Dataset': model['data'], 'Metrics': metrics}],
        'Config': f'configs/{model["config"]}',
    }
    if 'reported' in model:
        entry['Metadata']['Figures'] = 'reported by the authors, not measured here'
    weights = root / 'results' / model.get('result', '') / 'weights.pth'
    if 'result' in model and weights.is_file():
        entry['Weights'] = str(weights.relative_to(root))
    if 'converted' in model:
        entry['Converted From'] = {'Code': model['converted']}
    return entry


def _measured(model: Mapping[str, Any], root: Path) -> dict[str, float]:
    path = root / 'results' / model['result'] / 'result.json'
    if not path.is_file():
        raise UserError(f"results/zoo.yml names the result '{model['result']}', which is not there")
    tests = json.loads(path.read_text(encoding='utf-8'))['test']
    found = {}
    for name, place in model['figures'].items():
        test, _, key = place.partition('/')
        figure = float(tests[test]['figures'][key])
        found[name] = round(figure, 2 if figure >= 1 else 4)
    return found


def _metafile(collections: Sequence[Mapping], entries: Sequence[Mapping]) -> str:
    about = [
        {
            'Name': collection['name'],
            'Metadata': {'Architecture': collection['architecture']},
            'Paper': {'Title': collection['paper']['title'], 'URL': collection['paper']['url']},
            'README': '../README.md',
        }
        for collection in collections
    ]
    return _MADE + _dump({'Collections': about, 'Models': list(entries)})


def _dump(content: Any) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def fill(page: str, models: Sequence[Mapping], entries: Mapping[str, Mapping], root: Path) -> str:
    """Replace what stands between the markers of a page."""

    def replace(match: re.Match) -> str:
        start, kind, name, _, end = match.groups()
        if kind == 'configs':
            lines = _config_table(root)
        elif kind == 'swap':
            lines = _swap_table(root)
        else:
            lines = _zoo_table(models, entries) if kind == 'zoo' else study_table(root, name)
        return start + ''.join(f'{line}\n' for line in lines) + end

    return _BLOCK.sub(replace, page)


def _config_table(root: Path) -> list[str]:
    """List the leaf configs by what their first comment says."""
    lines = ['| config | what it trains |', '|---|---|']
    for path in sorted((root / 'configs').glob('*.py')):
        comment = []
        for line in path.read_text(encoding='utf-8').splitlines():
            if not line.startswith('# '):
                break
            comment.append(line[2:])
        sentence = re.split(r'(?<=[a-z0-9)])\. ', ' '.join(comment))[0].rstrip('.')
        lines.append(f'| `{path.name}` | {sentence} |')
    return lines


def _swap_table(root: Path) -> list[str]:
    """Count the kinds of stock configs that run, as they are and with each other backbone."""
    lines: list[str] = []
    for name, installed in MATRICES.items():
        with (root / f'results/{name}.csv').open(encoding='utf-8') as file:
            rows = list(csv.DictReader(file))
        backbones = list(rows[0])[5:-1]
        if not lines:
            columns = ' | '.join(f'with `{backbone}`' for backbone in backbones)
            lines = [f'| stock configs | kinds | run as they are | {columns} |',
                     f'|---|---|---|{"---|" * len(backbones)}']  # fmt: skip
        for host in dict.fromkeys(row['host'] for row in rows):
            runs = [row for row in rows if row['host'] == host and row['stock'] == 'runs']
            kinds = [row for row in rows if row['host'] == host]
            configs = sum(int(row['configs']) for row in kinds)
            swapped = (sum(row[backbone] == 'runs' for row in runs) for backbone in backbones)
            lines.append(
                f'| {_HOSTS[host]}{installed}, {configs} | {len(kinds)} | {len(runs)} | '
                f'{" | ".join(map(str, swapped))} |'
            )
    return lines


def _zoo_table(models: Sequence[Mapping], entries: Mapping[str, Mapping]) -> list[str]:
    lines = [
        '| model | data | parameters, M | GMACs | figure | weights |',
        '|---|---|---|---|---|---|',
    ]
    for model in models:
        entry = entries[model['name']]
        metadata, metrics = entry['Metadata'], entry['Results'][0]['Metrics']
        how = ' *reported*' if 'reported' in model else ''
        figures = ', '.join(f'{name} {value}{how}' for name, value in metrics.items())
        weights = entry.get('Weights')
        shown = f'[{Path(weights).parent.name}]({weights})' if weights else ''
        shown = shown or (f'[authors]({model["converted"]}) `*`' if 'converted' in model else '')
        lines.append(
            f'| [`{model["config"]}`]({entry["Config"]}) | {model["data"]} | '
            f'{metadata["Parameters"] / 1e6:.2f} | {metadata["FLOPs"] / 1e9:.2f} | {figures} | '
            f'{shown} |'
        )
    return lines


def study_table(root: Path, name: str) -> list[str]:
    """Write a study's table, the best row first, with its plot; nothing where it was not run."""
    folder = root / 'results' / name
    if not (folder / 'table.csv').is_file():
        return []
    study = json.loads((folder / 'study.json').read_text(encoding='utf-8'))
    with (folder / 'table.csv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    higher = study['higher_is_better']
    rows.sort(key=lambda row: float(row['mean']), reverse=higher)
    unit = f', {study["unit"]}' if study['unit'] else ''
    digits = 2 if study['unit'] == '%' else 3
    lines = [
        f'| network | {study["metric_name"]}{unit} | parameters, M | GMACs | latency, ms |',
        '|---|---|---|---|---|',
    ]
    for row in rows:
        spread = f' ± {float(row["spread"]):.{digits}f}' if row['spread'] else ''
        lines.append(
            f'| {row["label"]} | {float(row["mean"]):.{digits}f}{spread} | '
            f'{_scaled(row["parameters"], 1e6, 2)} | {_scaled(row["macs"], 1e9, 2)} | '
            f'{_scaled(row["latency_ms"], 1, 1)} {row["fastest"]}'.rstrip()
            + ' |'
        )
    lines += ['', *_best_trades(study, rows)]
    for plot in ('macs', 'latency_ms'):
        if (folder / f'pareto_{plot}.webp').is_file():
            lines += [
                f'<img src="results/{name}/pareto_{plot}.webp" width="480" alt="{study["title"]}">',
                '',
            ]
    lines += [
        f'Budget {study["budget"]}, {study["steps"]} steps a run; every run, its log and its '
        f'machine: [results/{name}](results/{name}/table.md).'
    ]
    return lines


def _best_trades(study: Mapping[str, Any], rows: Sequence[Mapping[str, str]]) -> list[str]:
    costs = {'parameters': 'parameters', 'macs': 'multiplications', 'latency_ms': 'latency'}
    lines = []
    for key, name in costs.items():
        known = [row for row in rows if row[key]]
        points = [(float(row[key]), float(row['mean'])) for row in known]
        best = [known[i]['label'] for i in pareto_front(points, study['higher_is_better'])]
        if best:
            lines.append(f'- No other is better for fewer {name}: {"; ".join(best)}.')
    return [*(line.replace('fewer latency', 'a lower latency') for line in lines), '']


def _scaled(text: str, by: float, digits: int) -> str:
    return f'{float(text) / by:.{digits}f}' if text else ''


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
        measure(args.root)
    if args.check:
        if old := stale(args.root):
            names = ', '.join(map(str, old))
            raise UserError(f"{names} is not what results/ says: run 'python {TOOL}'")
        return
    for path, text in made_files(args.root).items():
        (args.root / path).write_text(text, encoding='utf-8')
        print(path)


if __name__ == '__main__':
    run_tool(main)
