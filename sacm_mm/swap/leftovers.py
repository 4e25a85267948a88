"""What in a config belongs to its backbone and goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config

# of layer-wise learning rate decay, whose constructors know the names of the old network's layers
_DECAY_CONSTRUCTORS = ('LearningRateDecay', 'LayerDecay')
_DECAY_KEYS = ('num_layers', 'decay_rate', 'decay_type', 'layer_decay_rate')


def remove_leftovers(
    cfg: Config, old: Mapping, old_names: Iterable[str], new_names: Iterable[str]
) -> None:
    """Remove checkpoints, layer decay and parameter settings of the old backbone, in place.

    Args:
        cfg: The config.
        old: Config of the old backbone.
        old_names: Names of the old backbone's parameters.
        new_names: Names of the new one's.
    """
    model = cfg.model
    if isinstance(model.get('pretrained'), str):
        del model['pretrained']
    if 'Pretrained' in str(model.get('init_cfg', '')):
        del model['init_cfg']
    if cfg.get('load_from'):
        cfg.load_from = None
    weights = {value for value in _strings(old) if '/' in value}
    for key in [key for key, value in cfg.items() if isinstance(value, str) and value in weights]:
        del cfg._cfg_dict[key]  # checkpoint_file = '...', which only the backbone used
    if isinstance(cfg.get('optim_wrapper'), Mapping):
        _clean_optimizer(cfg.optim_wrapper, [*old_names], [*new_names])


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)


def _clean_optimizer(wrapper: Any, old_names: list[str], new_names: list[str]) -> None:
    settings = wrapper.get('paramwise_cfg') or {}
    if any(kind in str(wrapper.get('constructor', '')) for kind in _DECAY_CONSTRUCTORS):
        del wrapper['constructor']
        for key in _DECAY_KEYS:
            settings.pop(key, None)
    custom = settings.get('custom_keys', {})
    for key in [*custom]:
        if _is_the_old(key, old_names, new_names):
            del custom[key]
    if not custom:
        settings.pop('custom_keys', None)
    if not settings:
        wrapper.pop('paramwise_cfg', None)


def _is_the_old(key: str, old_names: list[str], new_names: list[str]) -> bool:
    """Whether a key, which means every parameter with it in its name, means the old backbone's."""
    if key.startswith('backbone.'):
        return True
    matches_old = any(key in f'backbone.{name}' for name in old_names)
    return matches_old and not any(key in f'backbone.{name}' for name in new_names)
