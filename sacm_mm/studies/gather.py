"""Take finished runs into the folder of a study's results; what is there is never overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_json
from sacm_mm.core.run_record import record_result
from sacm_mm.studies.recipe import config_diff, model_of, recipe_of
from sacm_mm.studies.runs import Run, all_runs, study_folder
from sacm_mm.studies.study import Study

STUDY = 'study.json'
COSTS = 'costs.json'
FAILED = 'failed.json'
_MOST_WEIGHTS = 5 * 2**20  # bytes of a checkpoint that is kept


def describe(study: Study) -> dict[str, Any]:
    """Describe a study so that its report needs nothing else: the recipe and every row's model."""
    rows, common = {}, None
    for row in study.networks.values():
        entry: dict[str, Any] = {'label': row.label, 'backbone': _backbone_name(study, row)}
        try:
            cfg = study.expand(row, 0)
        except UserError as error:
            entry['refused'] = str(error)
        else:
            common, entry['model'] = recipe_of(cfg), model_of(cfg)
        rows[row.name] = entry
    if common is None:
        raise UserError(f'no network of study {study.name} builds: {next(iter(rows.values()))}')
    keys = ('name', 'title', 'about', 'metric', 'metric_name', 'unit', 'higher_is_better')
    return {
        **{key: getattr(study, key) for key in keys},
        'budget': study.budget,
        'size': list(study.size),
        'steps': study.steps,
        'recipe': common,
        'rows': rows,
    }


def _backbone_name(study: Study, row: Any) -> str:
    named = row.whole or row.backbone
    if isinstance(named, str):
        return named
    own = row.backbone or {**study.cfg.model.backbone, **row.model.get('backbone', {})}
    arch = own.get('arch', own.get('depth', ''))
    if isinstance(arch, dict):
        arch = '/'.join(str(size) for size in arch.values())
    return f'{own["type"]} {arch}'.strip()


def gather(study: Study, root: Path, out: Path) -> list[str]:
    """Copy what is done into ``out``; return the names of the runs that came in.

    Raises:
        UserError: ``out`` holds a study of another recipe.
    """
    about = json.loads(json.dumps(describe(study)))
    _keep_study(about, out)
    came = []
    failed = []
    # seeds are found, not assumed: whoever ran more has more
    for run in all_runs(study, list(study.networks.values()), _seeds(study, root), root):
        if run.done and not (out / 'runs' / run.name).exists():
            try:
                _record(run, out)
                came.append(run.name)
            except (UserError, OSError, ValueError) as error:
                failed.append({'row': run.network.name, 'seed': run.seed, 'reason': str(error)})
        elif not run.done and (run.folder / FAILED).is_file():
            failed.append(json.loads((run.folder / FAILED).read_text()))
    if failed:
        write_json(failed, out / FAILED)
    elif study_folder(study, root).is_dir():
        (out / FAILED).unlink(missing_ok=True)
    costs = study_folder(study, root) / COSTS
    if costs.is_file():
        shutil.copy2(costs, out / COSTS)
    return came


def _keep_study(about: dict, out: Path) -> None:
    path = out / STUDY
    if path.is_file():
        before = json.loads(path.read_text())
        same = ('budget', 'steps', 'metric', 'recipe')
        differ = config_diff({k: before.get(k) for k in same}, {k: about[k] for k in same})
        for row, entry in before['rows'].items():
            if (out / 'runs').is_dir() and list((out / 'runs').glob(f'{row}_seed*')):
                now = about['rows'].get(row, {})
                differ += config_diff(entry.get('model'), now.get('model'), f'.rows.{row}')
        if differ:
            raise UserError(
                f"'{out}' holds results of another recipe ({differ[0]}): remove it, or name "
                'another folder with --out'
            )
    write_json(about, path)


def _seeds(study: Study, root: Path) -> list[int]:
    folders = study_folder(study, root).glob('*/seed*')
    return sorted({int(f.name[4:]) for f in folders if f.name[4:].isdigit()})


def _record(run: Run, out: Path) -> None:
    samples = run.test_dir / 'samples'
    weights = next(iter(run.train_dir.glob('*.pth')), None)
    keep = run.network.name in run.study.keep_weights and run.seed == run.study.seeds[0]
    target = out / 'runs' / run.name
    # recorded under another name first: record_result moves a complete folder, the rest comes after
    partial = out / 'runs' / f'.{run.name}.recorded'
    shutil.rmtree(partial, ignore_errors=True)
    try:
        record_result(
            partial,
            config=f'configs/studies/{run.study.name}.py',
            train_dir=run.train_dir,
            test_dirs={'whole': run.test_dir},
            commands=[run.command],
            pictures=[samples] if samples.is_dir() else [],
            keep_weights=keep and weights is not None,
            compact=True,
            about={
                'study': run.study.name,
                'budget': run.study.budget,
                'row': run.network.name,
            },
        )
        _tidy(partial)
        _share_samples(partial / 'samples', out / 'samples')
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _share_samples(samples: Path, shared: Path) -> None:
    """Move images and truth to the study's own folder; a run keeps its predictions."""
    for path in sorted([*samples.glob('*.image.jpg'), *samples.glob('*.gt*.png')]):
        common = shared / path.name
        if not common.exists():
            shared.mkdir(parents=True, exist_ok=True)
            path.replace(common)
        elif common.read_bytes() == path.read_bytes():
            path.unlink()


def _tidy(folder: Path) -> None:
    """Leave of the config what was compared, and no weights that are too large."""
    config = folder / 'config.py'
    cfg = Config.fromfile(config)
    seed = cfg.randomness.seed
    write_json({'recipe': recipe_of(cfg), 'model': model_of(cfg), 'seed': seed},
               folder / 'config.json')  # fmt: skip
    config.unlink()
    weights = folder / 'weights.pth'
    if weights.is_file() and weights.stat().st_size > _MOST_WEIGHTS:
        weights.unlink()
