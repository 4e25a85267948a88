"""A study: one config with everything fixed, and the rows that put another backbone into it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from sacm_mm.core.configs import find_study
from sacm_mm.core.errors import UserError, one_line

BUDGETS = ('full', 'laptop', 'tiny')
# What a run is made of; other names in a config are helpers that these were made from.
_PARTS = (
    'custom_imports', 'custom_hooks', 'default_hooks', 'default_scope', 'env_cfg', 'log_level',
    'log_processor', 'model', 'optim_wrapper', 'param_scheduler', 'randomness', 'test_cfg',
    'test_dataloader', 'test_evaluator', 'train_cfg', 'train_dataloader', 'val_cfg',
    'val_dataloader', 'val_evaluator', 'visualizer',
)  # fmt: skip
_NAME = re.compile(r'[a-z0-9][a-z0-9.+-]*')


@dataclass(frozen=True)
class Row:
    """One row of a comparison.

    Attributes:
        name: Names its runs; lower case.
        label: What readers see.
        backbone: As ``sacm_mm.find_backbone`` takes it; None keeps the config's.
        model: Merged into the config's model before the backbone is put in, such as another head.
        budgets: In which budgets it runs.
    """

    name: str
    label: str
    backbone: str | Mapping | None = None
    model: Mapping = field(default_factory=dict)
    budgets: Sequence[str] = BUDGETS


@dataclass(frozen=True)
class Study:
    """A comparison under one budget.

    Attributes:
        name: Name of its config.
        title: Its heading.
        about: What is compared, and how to read it.
        metric: Key of the figure in the results of a test.
        metric_name: What readers see.
        unit: Of that figure, or an empty string.
        higher_is_better: Which way is good.
        size: Height and width of the images that costs are counted and timed at.
        seeds: Seeds that are run by default.
        budget: One of ``BUDGETS``.
        cfg: The config with the budget applied, and the first backbone.
        rows: By name, in their order.
        keep_weights: Rows whose weights of the first seed are kept with the result.
    """

    name: str
    title: str
    about: str
    metric: str
    metric_name: str
    unit: str
    higher_is_better: bool
    size: tuple[int, int]
    seeds: tuple[int, ...]
    budget: str
    cfg: Config
    rows: Mapping[str, Row]
    keep_weights: Sequence[str] = ()

    @property
    def steps(self) -> int:
        """Training iterations of a run."""
        return self.cfg.train_cfg.max_iters

    def expand(self, row: Row, seed: int) -> Config:
        """Write the config of one run.

        Raises:
            UserError: The backbone is unknown or does not fit.
        """
        cfg = copy.deepcopy(self.cfg)
        cfg.randomness.seed = seed
        try:
            if row.model:
                cfg.merge_from_dict(dict(model=copy.deepcopy(dict(row.model))))
            if row.backbone is not None:
                from sacm_mm.swap import swap_backbone

                cfg = swap_backbone(cfg, row.backbone)
        except UserError as error:
            raise UserError(f"row '{row.name}' of {self.name}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"row '{row.name}' of {self.name} does not fit its config: {one_line(error)}"
            ) from error
        return Config({key: cfg[key] for key in _PARTS if key in cfg})


def load_study(name: str, budget: str = 'full') -> Study:
    """Load a study by name (``camvid_seg``) or by the path of its config.

    Raises:
        UserError: There is none, it is malformed, or it has no such budget.
    """
    path = find_study(name)
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # it runs any code
        raise UserError(f"study '{path}' does not load: {one_line(error)}") from error
    about = cfg.pop('comparison', None)
    if about is None:
        raise UserError(f"'{path}' is no study: it has no comparison = dict(rows=..., ...)")
    about = about.to_dict()
    budgets = cfg.pop('budgets', {})
    if budget not in budgets:
        raise UserError(
            f"study '{path.stem}' has no budget '{budget}': it has {', '.join(budgets)}"
        )
    changes = dict(budgets[budget])
    if 'steps' in changes:
        steps = changes.pop('steps')
        changes |= {
            'train_cfg.max_iters': steps,
            'train_cfg.val_interval': steps,
            'param_scheduler.total_steps': steps,
        }
    try:
        about['size'] = changes.pop('size', about['size'])
        cfg.merge_from_dict(changes)
        rows = {
            name: Row(name, **spec)
            for name, spec in about.pop('rows').items()
            if budget in spec.get('budgets', BUDGETS)
        }
        study = Study(
            path.stem, budget=budget, cfg=cfg, rows=rows,
            size=tuple(about.pop('size')), seeds=tuple(about.pop('seeds', (0,))), **about,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"study '{path}' is malformed: {one_line(error)}") from error
    malformed = [row for row in rows if not _NAME.fullmatch(row)]
    if malformed:
        raise UserError(f"row '{malformed[0]}' of {path.stem}: a name is like resnet18 or mit-b0")
    return study


def choose_rows(study: Study, names: Sequence[str] | None) -> list[Row]:
    """Return the named rows, or all.

    Raises:
        UserError: There is no such row.
    """
    unknown = [name for name in names or () if name not in study.rows]
    if unknown:
        raise UserError(
            f"study {study.name} has no row '{unknown[0]}': it has {', '.join(study.rows)}"
        )
    return [study.rows[name] for name in names or study.rows]


def recipe(cfg: Mapping) -> dict[str, Any]:
    """Reduce a run's config to what has to agree between the rows: all but the model and the seed.

    Values are those of JSON; of folders of data only the last part stays.
    """
    # what is imported follows from the backbone
    own = ('model', 'custom_imports')
    parts = _plain({key: cfg[key] for key in _PARTS if key in cfg and key not in own})
    parts.get('randomness', {}).pop('seed', None)
    return parts


def model_of(cfg: Mapping) -> dict[str, Any]:
    """Return the model of a run's config as values of JSON."""
    return _plain(cfg['model'])


def differences(found: Any, wanted: Any, path: str = '') -> list[str]:
    """List the dotted names in which two plain configs differ, with both values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [*wanted, *(key for key in found if key not in wanted)]
        return [
            line
            for key in keys
            for line in differences(
                found.get(key, '(missing)'), wanted.get(key, '(missing)'), f'{path}.{key}'
            )
        ]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [
            line
            for i, pair in enumerate(zip(found, wanted))
            for line in differences(*pair, f'{path}.{i}')
        ]
    same = found == wanted and type(found) is type(wanted)
    return [] if same else [f'{path[1:]}: {found}, not {wanted}']


def _plain(value: Any, key: str = '') -> Any:
    if isinstance(value, ConfigDict):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return {str(k): _plain(v, k) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if key == 'data_root':
        return Path(value).name
    return value
