"""Augmentation whose random numbers follow from the run's seed and the number of the draw."""

import random
from collections.abc import Sized

import numpy as np
import torch
from mmcv.transforms import BaseTransform


class Draw(int):
    """An index into a data set, with the seed of what its augmentation draws.

    Args:
        index: The index.
        run_seed: Seed of the run.
        number: How many images all processes have drawn before.
        epoch: How often the whole set has been drawn before.
    """

    seed: int
    epoch: int

    def __new__(cls, index: int, run_seed: int, number: int, epoch: int = 0) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.seed = run_seed * 1_000_003 + number
        draw.epoch = epoch
        return draw

    def __reduce__(self) -> tuple:
        return _unpickled, (int(self), self.seed, self.epoch)  # on its way to a worker


def _unpickled(index: int, seed: int, epoch: int) -> Draw:
    draw = Draw(index, 0, 0, epoch)
    draw.seed = seed
    return draw


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch, whatever the size of ``seed``."""
    seed %= 2**32
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class _SeedAugmentation(BaseTransform):
    """Seed what follows in the pipeline by the draw; the results stay as they are."""

    def transform(self, results: dict) -> dict:
        draw = results.get('sample_idx')
        if isinstance(draw, Draw):
            seed_everything(draw.seed)
        return results


def seed_pipeline(dataset: Sized) -> bool:
    """Have a data set's pipeline seed itself by the draw, where a sampler gives ``Draw`` indices.

    Returns:
        Whether it can: a wrapper that counts anew (``ConcatDataset``) has no pipeline of its own.
    """
    transforms = getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    if not isinstance(transforms, list):
        return False
    if not any(isinstance(transform, _SeedAugmentation) for transform in transforms):
        transforms.insert(0, _SeedAugmentation())
    return True
