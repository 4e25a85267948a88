"""Fit a training into a number of minutes."""

from __future__ import annotations

import copy
import math
import time
from itertools import chain, repeat
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn, optim

from sacm_mm.core.configs import hook_names
from sacm_mm.core.errors import UserError
from sacm_mm.core.machine import synchronize
from sacm_mm.core.schedules import scale_times
from sacm_mm.kernels.accelerating import accelerate

_STEPS = 3  # timed, after one that warms up
_FOR_TRAINING = 0.9  # of the time; validation and checkpoints take the rest


def fit_minutes(cfg: Config, model: nn.Module, loader: dict[str, Any], minutes: float) -> str:
    """Set the length of the loop, and of the schedules, to what a few steps take.

    Args:
        cfg: The config; its loop, schedules and intervals are changed.
        model: The built model; a copy is trained.
        loader: The training loader's config, its data set built.
        minutes: The time.

    Returns:
        What was chosen, in words.

    Raises:
        UserError: Not one step fits.
    """
    if not 0 < minutes < math.inf:
        raise UserError(f'--minutes is {minutes}: give a number above 0')
    seconds, batches = _seconds_a_step(model, loader, 'FastTrainingHook' in hook_names(cfg))
    steps = int(minutes * 60 * _FOR_TRAINING / seconds)
    by_epoch = 'max_epochs' in cfg.train_cfg
    key, length = ('max_epochs', steps // batches) if by_epoch else ('max_iters', steps)
    if length < 1:
        raise UserError(
            f'{minutes:g} minutes are too short: one {"epoch" if by_epoch else "step"} takes '
            f'{seconds * (batches if by_epoch else 1):.0f} s'
        )
    before = cfg.train_cfg[key]
    cfg.train_cfg[key] = length
    scale_times(cfg, before, length)
    cfg.train_cfg.val_interval = max(1, min(cfg.train_cfg.get('val_interval', length), length))
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint')
    if checkpoint and checkpoint.get('interval', 1) > length:
        checkpoint.interval = length
    unit = 'epochs' if by_epoch else 'steps'
    return f'{minutes:g} minutes: {length} {unit} (the config has {before}), {seconds:.2f} s a step'


def _seconds_a_step(model: nn.Module, loader: dict[str, Any], fast: bool) -> tuple[float, int]:
    device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
    tried: Any = copy.deepcopy(model).to(device).train()
    if fast:  # the first step, which is not counted, compiles
        accelerate(tried, training=True)
    wrapper = OptimWrapper(optim.SGD(tried.parameters(), lr=0.0))
    batches = Runner.build_dataloader(copy.deepcopy(loader), seed=0)
    if not len(batches):
        raise UserError('train_dataloader has not one whole batch: lower its batch_size')
    stream = chain.from_iterable(repeat(batches))  # some have fewer batches than steps here
    tried.train_step(next(stream), wrapper)
    synchronize(device)
    start = time.perf_counter()
    for _ in range(_STEPS):
        tried.train_step(next(stream), wrapper)
    synchronize(device)  # a GPU still works on the steps that were asked for
    return (time.perf_counter() - start) / _STEPS, len(batches)
