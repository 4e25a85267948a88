"""What the runs of a study have in common, and where two configs differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from sacm_mm.core.configs import as_list, differences

# What a run is made of; other names in a config are helpers that these were made from.
PARTS = (
    'custom_imports', 'custom_hooks', 'default_hooks', 'default_scope', 'env_cfg', 'log_level',
    'log_processor', 'model', 'optim_wrapper', 'param_scheduler', 'randomness', 'test_cfg',
    'test_dataloader', 'test_evaluator', 'train_cfg', 'train_dataloader', 'val_cfg',
    'val_dataloader', 'val_evaluator', 'visualizer',
)  # fmt: skip


def recipe_of(cfg: Mapping) -> dict[str, Any]:
    """Reduce a run's config to what all networks share: everything but the model and the seed.

    Values are those of JSON; of folders of data only the last part stays.
    """
    # what is imported follows from the backbone
    own = ('model', 'custom_imports')
    parts = _plain({key: cfg[key] for key in PARTS if key in cfg and key not in own})
    parts.get('randomness', {}).pop('seed', None)
    return parts


def set_lr(cfg: Any, lr: float) -> None:
    """Set the peak of the learning rate in place, where the optimizer and schedules have it."""
    cfg['optim_wrapper']['optimizer']['lr'] = lr
    for scheduler in as_list(cfg.get('param_scheduler')):
        if 'eta_max' in scheduler:
            scheduler['eta_max'] = lr


def model_of(cfg: Mapping) -> dict[str, Any]:
    """Return the model of a run's config as values of JSON."""
    return _plain(cfg['model'])


def config_diff(found: Any, wanted: Any, path: str = '') -> list[str]:
    """List the dotted names in which two plain configs differ, with both values."""
    return [f'{name}: {b}, not {a}' for name, a, b in differences(wanted, found, path)]


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
