"""Checks of a config before a run: what is wrong is said before anything is written.

What does not pass is a ``UserError`` that names the part.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.optim import build_optim_wrapper
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
from mmseg.evaluation import IoUMetric
from torch import nn

from sacm_mm.apis.check_keys import check_keywords
from sacm_mm.core.configs import as_list
from sacm_mm.core.errors import UserError, mistakes_named
from sacm_mm.datasets.in_memory import InMemoryDataset

_OVERLAPS = ('mIoU', 'mDice', 'mFscore')
_KINDS: dict[type, str] = {dict: 'a dict', list: 'a list', str: 'a text', bool: 'True or False'}
_SECTIONS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ('model', 'optim_wrapper', 'train_dataloader', 'val_dataloader', 'test_dataloader',
         'train_cfg', 'val_cfg', 'test_cfg', 'default_hooks', 'env_cfg', 'log_processor',
         'visualizer', 'randomness', 'data_preprocessor', 'auto_scale_lr'),
        (dict,),
    ),
    **dict.fromkeys(('param_scheduler', 'val_evaluator', 'test_evaluator'), (dict, list)),
    'custom_hooks': (list,),
    'resume': (bool,),
    **dict.fromkeys(('default_scope', 'log_level', 'launcher', 'load_from'), (str,)),
}  # fmt: skip

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


def check_kinds(cfg: Config) -> None:
    """Make sure that what is a section is one."""
    for key, kinds in _SECTIONS.items():
        value = cfg.get(key)
        if value is None or isinstance(value, kinds):
            continue
        wanted = ' or '.join(_KINDS[kind] for kind in kinds)
        raise UserError(f"'{key}' of the config is {value!r}: it must be {wanted}")


def check_sections(cfg: Config, loaders: Sequence[str]) -> None:
    """Make sure that what belongs together is there.

    Args:
        cfg: The config.
        loaders: The data loaders that the run uses, of which the first must be there.
    """
    scope = cfg.get('default_scope')
    if scope and find_spec(scope.partition('.')[0]) is None:
        raise UserError(f"'default_scope' of the config is '{scope}', which is not installed")
    for name in ('train', 'val', 'test'):
        parts = [f'{name}_dataloader', f'{name}_cfg']
        parts.append('optim_wrapper' if name == 'train' else f'{name}_evaluator')
        given = [part for part in parts if cfg.get(part) is not None]
        needed = f'{name}_dataloader' == loaders[0]
        if len(given) < 3 and (given or needed):
            missing = ', '.join(part for part in parts if part not in given)
            also = '' if needed else f', or set {", ".join(given)} to None too'
            raise UserError(
                f'the config has no {missing}: {", ".join(parts)} belong together, give all{also}'
            )
    for name in loaders:
        loader = cfg.get(name)
        if loader is not None and not isinstance(loader.get('dataset'), dict):
            raise UserError(f"'{name}' of the config has no dataset: it must be a dict with a type")
        sampled = loader and (loader.get('batch_sampler') or loader.get('sampler'))
        if loader is not None and not isinstance(sampled, dict):
            raise UserError(f"'{name}' of the config has no sampler: it must be a dict with a type")


def check_types(cfg: Config) -> None:
    """Look up every part that the runner will build; models and data are built beforehand."""
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
    """Build a part; what its code says of its values is the config's mistake, not a bug."""
    with mistakes_named(f"'{name}' of the config does not build"):
        return registry.build(copy.deepcopy(cfg))


def check_parts(cfg: Config, model: nn.Module | None) -> None:
    """Build what the runner builds only when it has made its folder; it costs nothing.

    Args:
        cfg: The config.
        model: What is trained; None for a test.
    """
    for key in ('val_evaluator', 'test_evaluator'):
        for part in as_list(cfg.get(key)):
            _check_overlaps(build_part(METRICS, part, key), key)
    if model is not None:
        with mistakes_named("'optim_wrapper' of the config does not build"):
            build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


def _check_overlaps(metric: Any, key: str) -> None:
    """Refuse names that the host looks at when the test is over."""
    if not isinstance(metric, IoUMetric):
        return
    for name in as_list(metric.metrics):
        if name not in _OVERLAPS:
            raise UserError(
                f"'{key}.iou_metrics' of the config has {name!r}: choose from "
                f'{", ".join(_OVERLAPS)}'
            )


def check_pipeline_switches(cfg: Config, dataset: Any) -> None:
    """Refuse a hook that will change a pipeline whose pictures stay in memory.

    The data set itself would say so when it switches, hours later.
    """
    if not isinstance(dataset, InMemoryDataset):
        return
    for number, hook in enumerate(cfg.get('custom_hooks') or ()):
        if _holds_pipeline(hook):
            raise UserError(
                f"'custom_hooks.{number}' of the config, {hook['type']}, switches the pipeline, "
                'but an InMemoryDataset has loaded its pictures by the first one: take the hook '
                'out, or the InMemoryDataset'
            )


def _holds_pipeline(part: Any) -> bool:
    if isinstance(part, dict):
        return any(
            (str(key).endswith('pipeline') and value) or _holds_pipeline(value)
            for key, value in part.items()
        )
    return isinstance(part, (list, tuple)) and any(map(_holds_pipeline, part))


def check_samples(datasets: Mapping[str, Any]) -> None:
    """Load a picture of each data set: mistakes of a pipeline are found before training."""
    for name, dataset in datasets.items():
        if len(dataset):
            with mistakes_named(f"'{name}.dataset.pipeline' of the config does not run"):
                dataset[0]


def check_heads(model: nn.Module) -> None:
    """Compare what the backbone or neck offers with what each head takes."""
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


def check_losses(model: nn.Module) -> None:
    """Refuse to train a head without a loss."""
    for name, head in heads_of(model):
        losses = getattr(head, 'loss_decode', None)
        # a depth head that predicts its uncertainty has the likelihood
        own = getattr(head, 'uncertainty', None) is not None
        if isinstance(losses, nn.ModuleList) and not len(losses) and not own:
            raise UserError(f'{name} has an empty loss_decode: give it one loss or several')


def heads_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """List the heads of a model with their names in the config."""
    for name in ('decode_head', 'depth_head', 'auxiliary_head', 'head'):
        head = getattr(model, name, None)
        if isinstance(head, nn.ModuleList):
            yield from ((f'{name}[{i}]', part) for i, part in enumerate(head))
        elif head is not None:
            yield name, head
