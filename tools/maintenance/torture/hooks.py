"""Hooks that a training of the campaign names in its config."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class SpoilWeightsHook(Hook):
    """Put a value into the first weights before a step, as a training that diverges does."""

    priority = 'HIGHEST'

    def __init__(self, step: int, value: str) -> None:
        # a config with a number that is none is refused
        self.step, self.value = step, {'none': math.nan, 'endless': math.inf}[value]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Spoil."""
        if runner.iter == self.step:
            with torch.no_grad():
                next(runner.model.parameters()).view(-1)[0] = self.value


@HOOKS.register_module()
class SlowStepsHook(Hook):
    """Let each step take a moment, so that there is time to do something to it."""

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Wait."""
        time.sleep(0.2)


@HOOKS.register_module()
class KeepLossesHook(Hook):
    """Write the mean over all processes of each step's loss."""

    def __init__(self, out: str) -> None:
        self.out = out
        self.losses: list[float] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Take the loss."""
        loss = outputs['loss'].detach().double().clone()
        all_reduce(loss, 'mean')
        self.losses.append(loss.item())

    def after_train(self, runner: Runner) -> None:
        """Write."""
        if os.environ.get('RANK', '0') == '0':
            Path(self.out).write_text(json.dumps(self.losses))


def hook(name: str, **arguments: object) -> dict[str, object]:
    """Return the options that put a hook into a config of ours, for ``Task.train``."""
    return {'custom_hooks__0__type': name,
            **{f'custom_hooks__0__{key}': value for key, value in arguments.items()}}  # fmt: skip
