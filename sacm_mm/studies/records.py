"""Take finished runs into the folder of a study's results; what is there is never overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder, write_json
from sacm_mm.core.run_record import write_record
from sacm_mm.studies.recipe import config_diff, model_of, recipe_of
from sacm_mm.studies.results import COSTS, FAILED, STUDY, read_record, read_study
from sacm_mm.studies.runs import Run, all_runs, study_folder
from sacm_mm.studies.study import Network, Study


def study_record(study: Study) -> dict[str, Any]:
    """Write down all that a report needs of a study: the recipe and every network's model.

    Raises:
        UserError: Not one network builds.
    """
    networks: dict[str, dict[str, Any]] = {}
    recipe = None
    for network in study.networks.values():
        entry: dict[str, Any] = {'label': network.label, 'backbone': _backbone_name(study, network)}
        try:
            cfg = study.expand(replace(network, lr=None), 0)
        except UserError as error:
            entry['refused'] = str(error)
        else:
            recipe, entry['model'] = recipe_of(cfg), model_of(cfg)
            if network.lr is not None:
                entry['lr'] = network.lr
        networks[network.name] = entry
    if recipe is None:
        first = next(iter(networks.values()), {}).get('refused', 'it has none under this budget')
        raise UserError(f'no network of study {study.name} builds: {first}')
    keys = ('name', 'title', 'about', 'metric', 'metric_name', 'unit', 'higher_is_better')
    return {
        **{key: getattr(study, key) for key in keys},
        'budget': study.budget,
        'size': list(study.size),
        'steps': study.steps,
        'command': study.command,
        'recipe': recipe,
        'networks': networks,
    }


def _backbone_name(study: Study, network: Network) -> str:
    named = network.whole or network.backbone
    if isinstance(named, str):
        return named
    config = study.cfg.model.get('backbone') or {}
    own: Any = network.backbone or {**config, **network.model.get('backbone', {})}
    arch = own.get('arch', own.get('depth', ''))
    if isinstance(arch, Mapping):
        arch = '/'.join(str(size) for size in arch.values())
    return f'{own.get("type", network.name)} {arch}'.strip()


def record_runs(study: Study, root: Path, out: Path) -> list[str]:
    """Copy what is done into ``out``; return the names of the runs that came in.

    Raises:
        UserError: ``out`` holds a study of another recipe.
    """
    _record_study(json.loads(json.dumps(study_record(study))), out)
    came = []
    failed = []
    # seeds are found, not assumed: whoever ran more has more
    for run in all_runs(study, list(study.networks.values()), _seeds(study, root), root):
        if run.done and not (out / 'runs' / run.name).exists():
            try:
                _record_run(run, out)
                came.append(run.name)
            except (OSError, ValueError) as error:  # a UserError among them
                failed.append(run.failure(str(error)))
        elif not run.done and (run.folder / FAILED).is_file():
            failed.append(read_record(run.folder / FAILED))
    if failed:
        write_json(failed, out / FAILED)
    elif study_folder(study, root).is_dir():
        (out / FAILED).unlink(missing_ok=True)
    costs = study_folder(study, root) / COSTS
    if costs.is_file():
        write_json(read_record(costs), out / COSTS)
    return came


def _record_study(about: dict, out: Path) -> None:
    if (out / STUDY).is_file():
        before = read_study(out)
        same = ('budget', 'steps', 'metric', 'recipe')
        differ = config_diff({k: before[k] for k in same}, {k: about[k] for k in same})
        for name, entry in before['networks'].items():
            if any((out / 'runs').glob(f'{name}_seed*')):
                now = about['networks'].get(name, {})
                differ += config_diff(entry.get('model'), now.get('model'), f'networks.{name}')
        if differ:
            raise UserError(
                f"'{out}' holds results of another recipe ({differ[0]}): name another folder with "
                '--out; --rebuild makes the report of these anew'
            )
    write_json(about, out / STUDY)


def _seeds(study: Study, root: Path) -> list[int]:
    folders = study_folder(study, root).glob('*/seed*')
    return sorted({int(f.name[4:]) for f in folders if f.name[4:].isdigit()})


def _record_run(run: Run, out: Path) -> None:
    samples = run.test_dir / 'samples'
    with publish_folder(out / 'runs' / run.name) as folder:
        write_record(
            folder,
            config=run.study.config_name,
            train_dir=run.train_dir,
            test_dirs={'whole': run.test_dir},
            commands=[run.command],
            compact=True,
            about={
                'study': run.study.name,
                'budget': run.study.budget,
                'network': run.network.name,
            },
        )
        cfg = Config.fromfile(folder / 'config.py')
        (folder / 'config.py').unlink()  # of the config stays what is compared
        write_json(
            {'recipe': recipe_of(cfg), 'model': model_of(cfg), 'seed': cfg.randomness.seed},
            folder / 'config.json',
        )
        # one run of a network is shown
        if not any((out / 'runs').glob(f'{run.network.name}_seed*/samples.json')):
            _keep_samples(samples, folder, out / 'samples')


def _keep_samples(samples: Path, folder: Path, shared: Path) -> None:
    """Keep a run's predictions with it; images and truth go to the study's own folder."""
    for path in sorted(samples.glob('*.*')):
        common = path.name.startswith(('image.', 'gt'))
        target = shared / path.name if common else folder / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        elif target.read_bytes() != path.read_bytes():
            shutil.copy2(path, folder / path.name)
