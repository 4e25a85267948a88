"""Training that comes out the same whether it was interrupted or not."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.registry import DATA_SAMPLERS, HOOKS


@DATA_SAMPLERS.register_module()
class ReplayedInfiniteSampler(MMEngineInfiniteSampler):
    """The host's sampler, whose data are loaded again on the way to where a run resumes.

    The host skips them, and the augmentation of what follows draws other numbers. Needs workers, so
    that the numbers of the data and of the network do not mix.
    """

    @property
    def skip(self) -> Any:  # the host asks whether there is one
        """Hide the host's method."""
        raise AttributeError('skip')


@HOOKS.register_module()
class SeedStepsHook(Hook):
    """Seed each training step by the run's seed and the step: dropout and drop path resume too."""

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Sequence | None = None
    ) -> None:
        """Seed the step."""
        seed = (runner.seed * 1_000_003 + runner.iter * 1009 + get_rank()) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
