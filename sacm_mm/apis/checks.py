"""Checks of a config before a run: what is wrong is said before anything is written."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import (
    HOOKS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISBACKENDS,
    VISUALIZERS,
    Registry,
)
from torch import nn

from sacm_mm.apis.check_keys import check_keywords
from sacm_mm.core.errors import UserError, one_line

# Parts that the runner builds from the config, and where their types are registered.
_PARTS = {
    'optim_wrapper': OPTIM_WRAPPERS,
    'optim_wrapper.optimizer': OPTIMIZERS,
    'param_scheduler': PARAM_SCHEDULERS,
    'train_cfg': LOOPS,
    'val_cfg': LOOPS,
    'test_cfg': LOOPS,
    'val_evaluator': METRICS,
    'test_evaluator': METRICS,
    'default_hooks': HOOKS,
    'custom_hooks': HOOKS,
    'visualizer': VISUALIZERS,
    'visualizer.vis_backends': VISBACKENDS,
}


def check_types(cfg: Config) -> None:
    """Look up every part that the runner will build; models and data are built beforehand.

    Raises:
        UserError: There is no such type, or it does not take a key.
    """
    for key, registry in _PARTS.items():
        section: Any = cfg
        for name in key.split('.'):
            section = (section or {}).get(name)
        for name, part in _parts_of(_with_type(key, section)):
            found = _find(part['type'], registry)
            if found is None:
                raise UserError(f"'{key}' of the config names an unknown type '{part['type']}'")
            check_keywords(part, found, f'{key}.{name}' if name else key)


def _with_type(key: str, section: Any) -> Any:
    """Add the type that the runner takes where a section names none."""
    if not isinstance(section, dict) or 'type' in section:
        return section
    if key == 'train_cfg':
        loop = 'EpochBasedTrainLoop' if section.get('by_epoch', True) else 'IterBasedTrainLoop'
        return {'type': loop, **section}
    if key in ('val_cfg', 'test_cfg'):
        return {'type': 'ValLoop' if key == 'val_cfg' else 'TestLoop', **section}
    if key == 'optim_wrapper' and 'optimizer' in section:
        return {'type': 'OptimWrapper', **section}
    return section


def _find(name: str, registry: Registry) -> Any:
    # the registry of the default scope sees the host's parts and mmengine's
    with registry.switch_scope_and_registry(None) as scoped:
        try:
            return scoped.get(name)
        except (KeyError, RuntimeError):  # a scope or a module that does not exist
            return None


def _parts_of(section: Any) -> list[tuple[str, dict]]:
    """List what a section holds, with its name in it: one part, a list, or parts by name."""
    if isinstance(section, dict):
        named = [('', section)] if 'type' in section else list(section.items())
    else:
        named = [(str(i), part) for i, part in enumerate(section or ())]
    return [
        (name, part)
        for name, part in named
        if isinstance(part, dict) and isinstance(part.get('type'), str)
    ]


def build_part(registry: Registry, cfg: ConfigDict, name: str) -> Any:
    """Build a part; an unknown type or keyword is the config's mistake, not a bug.

    Raises:
        UserError: The part does not build as the config says.
    """
    try:
        return registry.build(copy.deepcopy(cfg))
    except (KeyError, TypeError) as error:
        if re.search(
            'is not in the|unexpected keyword|required .*argument|the key "type"', str(error)
        ):
            raise UserError(f"'{name}' of the config does not build: {one_line(error)}") from error
        raise


def check_heads(model: nn.Module) -> None:
    """Compare what the backbone or neck offers with what each head takes.

    Raises:
        UserError: They do not fit.
    """
    neck = getattr(model, 'neck', None)
    if type(neck).__name__ == 'GlobalAveragePooling':
        neck = None  # it keeps the channels
    source = neck or getattr(model, 'backbone', None)
    offered = getattr(source, 'out_channels', None)
    if not isinstance(offered, (tuple, list)):
        return
    for name, head in heads_of(model):
        indices = getattr(head, 'in_index', -1)
        indices = [indices] if isinstance(indices, int) else list(indices)
        if any(not -len(offered) <= i < len(offered) for i in indices):
            raise UserError(
                f'{name} has in_index={head.in_index}, but there are only {len(offered)} feature '
                'maps: set out_indices of the backbone'
            )
        found = [offered[i] for i in indices]
        wanted = getattr(head, 'in_channels', None)
        if wanted is None:
            continue
        agrees = sum(found) == wanted if isinstance(wanted, int) else found == list(wanted)
        if not agrees:
            raise UserError(
                f'{name} has in_channels={wanted}, but its feature maps have '
                f'{found[0] if len(found) == 1 else found} channels: set in_channels to that'
            )


def heads_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """List the heads of a model with their names in the config."""
    for name in ('decode_head', 'depth_head', 'auxiliary_head', 'head'):
        head = getattr(model, name, None)
        if isinstance(head, nn.ModuleList):
            yield from ((f'{name}[{i}]', part) for i, part in enumerate(head))
        elif head is not None:
            yield name, head
