"""Mistyped keys and nonsense numbers of a config, found before anything is built.

What does not pass is a ``UserError`` that names the key.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from mmengine.config import Config

from sacm_mm.core.configs import as_list, kind_of
from sacm_mm.core.errors import UserError
from sacm_mm.core.schedules import hook_times

# What the runner or the builders hand over, or take out before a part is made.
_GIVEN = {
    'type', '_scope_', 'priority', 'optimizer', 'constructor', 'paramwise_cfg',
    'convert_to_iter_based', 'by_epoch',
}  # fmt: skip
# what the hosts read key by key, and pass over what is misspelt
_READ = {
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'),
    'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
    'model.test_cfg': ('mode', 'crop_size', 'stride'),
    'optim_wrapper.paramwise_cfg': (
        'custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult',
        'flat_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate',
    ),
    'optim_wrapper.paramwise_cfg.custom_keys.*': ('lr_mult', 'decay_mult'),
}  # fmt: skip
_LOGGERS = {
    'WandbVisBackend': 'wandb', 'MLflowVisBackend': 'mlflow', 'ClearMLVisBackend': 'clearml',
    'NeptuneVisBackend': 'neptune', 'DVCLiveVisBackend': 'dvclive', 'AimVisBackend': 'aim',
    'TensorboardVisBackend': 'tensorboard',
}  # fmt: skip
_POSITIVE = {'batch_size', 'max_iters', 'max_epochs', 'val_interval', 'std'}
_NOT_NEGATIVE = {'num_workers', 'lr', 'eta_max', 'eta_min', 'weight_decay', 'drop_path_rate'}
_ALWAYS = {'batch_size', 'max_iters', 'max_epochs', 'num_workers', 'lr', 'eta_max', 'eta_min',
           'weight_decay', 'drop_path_rate', 'seed', 'num_classes', 'loss_weight', 'val_interval',
           'interval'}  # fmt: skip
_FINITE = {'lr', 'eta_max', 'eta_min', 'weight_decay', 'momentum', 'loss_weight', 'mean', 'std',
           'class_weight', 'start_factor', 'end_factor', 'power', 'pct_start'}  # fmt: skip
# more of these fill the memory or the process table before anything can be said
_MOST = {'batch_size': 2**20, 'num_workers': 2**12, 'prefetch_factor': 2**12}
_SHARES = {'drop_path_rate', 'drop_rate', 'dropout_ratio', 'pct_start'}


def check_keywords(part: dict, kind: Any, name: str) -> None:
    """Compare the keys of a part with what its class takes.

    Args:
        part: The part's config.
        kind: Its class or function.
        name: Where it stands in the config.
    """
    known, takes_more = _parameters(kind)
    for key in part:
        if key in known or key in _GIVEN:
            continue
        # what takes anything, as the host's CheckpointHook does, is still misspelt at times
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.85 if takes_more else 0.5)
        if takes_more and not near:
            continue
        hint = f"did you mean '{near[0]}'?" if near else f'it takes {", ".join(sorted(known))}'
        raise UserError(f"'{name}' of the config has no '{key}': {hint}")


def check_read_keys(cfg: Config) -> None:
    """Refuse mistyped keys where the hosts read those that they know, and pass over all others.

    Other code may read others: only what looks like a known one is refused.
    """
    for place, known in _READ.items():
        sections = {'': cfg.to_dict()}
        for name in place.split('.'):
            sections = {
                f'{path}.{key}'.lstrip('.'): inner
                for path, section in sections.items()
                if isinstance(section, dict)
                for key, inner in section.items()
                if name in ('*', key)
            }
        for path, section in sections.items():
            for key in section if isinstance(section, dict) else ():
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.75)
                if near and key not in known:
                    raise UserError(
                        f"'{path}' of the config has no '{key}': did you mean '{near[0]}'?"
                    )


def _parameters(kind: Any) -> tuple[set[str], bool]:
    """Return the names of all parameters, and whether others are taken too."""
    known: set[str] = set()
    takes_more = False
    for owner in kind.__mro__ if inspect.isclass(kind) else (kind,):
        if owner is object:
            return known, takes_more  # more is handed on to a part of it
        function = vars(owner).get('__init__') if inspect.isclass(owner) else owner
        if function is None:
            continue
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):  # not written in Python
            return set(), True
        known |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return known - {'self'}, False
        takes_more = True
    return known, True


def check_loggers(cfg: Config) -> None:
    """Refuse loggers that are not installed."""
    for backend in (cfg.get('visualizer') or {}).get('vis_backends') or ():
        kind = kind_of(backend)
        module = _LOGGERS.get(kind)
        if module and find_spec(module) is None:
            raise UserError(f'logger {kind} needs {module}: pip install {module}')


def check_numbers(cfg: Config) -> None:
    """Refuse numbers with which nothing can be learned."""
    for path, key, value in _numbers(cfg.to_dict(), ''):
        if isinstance(value, str):
            raise UserError(f"'{path}' of the config is '{value}': it must be a number")
        wrong = ''
        if math.isnan(value) or (key in _FINITE and math.isinf(value)):
            wrong = 'a finite number'
        elif key in _POSITIVE and value <= 0 and (key != 'std' or 'preprocessor' in path):
            wrong = 'more than 0'
        elif key in _NOT_NEGATIVE and value < 0:
            wrong = '0 or more'
        elif key in _SHARES and (value >= 1 or value < -1 or -1 < value < 0):
            wrong = 'from 0 to below 1'
        elif value > _MOST.get(key, math.inf):
            wrong = f'at most {_MOST[key]}'
        if wrong:
            raise UserError(f"'{path}' of the config is {value}: it must be {wrong}")


def _numbers(value: Any, path: str, key: str = '') -> Iterator[tuple[str, str, float | str]]:
    """Yield every number with its place and key, and texts where there is always a number."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f'{path}.{name}' if path else str(name), str(name))
    elif isinstance(value, (list, tuple)):
        for place, inner in enumerate(value):
            yield from _numbers(inner, f'{path}.{place}', key)
    elif (isinstance(value, (int, float)) and not isinstance(value, bool)) or (
        isinstance(value, str) and key in _ALWAYS
    ):
        yield path, key, value


def check_schedule(cfg: Config) -> None:
    """Compare the length of each schedule, and when hooks act, with the loop.

    A longer one ends training at a high learning rate, and a hook may never act, which is said; a
    shorter one-cycle schedule ends training with an error.

    Raises:
        UserError: That of a one-cycle schedule differs.
    """
    loop = cfg.get('train_cfg') or {}
    for schedule in as_list(cfg.get('param_scheduler')):
        if not isinstance(schedule, dict):
            continue
        unit = 'max_epochs' if schedule.get('by_epoch', True) else 'max_iters'
        length = loop.get(unit)
        if length is None:
            continue
        steps = schedule.get('total_steps')
        if steps is not None and steps != length:
            raise UserError(
                f'param_scheduler.total_steps is {steps}, but train_cfg.{unit} is {length}: give '
                'both the same value, or leave total_steps out of a sacm_mm.OneCycleLR'
            )
        end = schedule.get('end') or schedule.get('begin', 0) + schedule.get('T_max', 0)
        if end > length:
            print(
                f'note: {schedule.get("type")} of param_scheduler goes on until {end}, but '
                f'train_cfg.{unit} is {length}: the learning rate does not come to its end'
            )
    for kind, part, key, unit in hook_times(cfg):
        if part[key] > loop.get(unit, part[key]):
            print(
                f'note: {kind} of custom_hooks has {key} {part[key]}, but train_cfg.{unit} is '
                f'{loop[unit]}: it never acts'
            )


def tidy_loaders(cfg: Config) -> None:
    """Without workers, leave out what is about workers: PyTorch refuses it."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if isinstance(loader, dict) and loader.get('num_workers', 0) == 0:
            for key in ('persistent_workers', 'prefetch_factor'):
                loader.pop(key, None)
