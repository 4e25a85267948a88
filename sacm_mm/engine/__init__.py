"""Hooks, samplers, schedules and optimiser wrappers, registered on import."""

from .checkpoint import CheckpointHook
from .exact_resume import ReplayedInfiniteSampler, SeedStepsHook
from .fast_training import FastTrainingHook
from .keep_samples import KeepSamplesHook
from .one_cycle import OneCycleLR
from .optim_wrapper import BFloat16OptimWrapper
from .picture_grid import PictureGridHook
from .progress_bar import ProgressBarHook

__all__ = [
    'BFloat16OptimWrapper',
    'CheckpointHook',
    'FastTrainingHook',
    'KeepSamplesHook',
    'OneCycleLR',
    'PictureGridHook',
    'ProgressBarHook',
    'ReplayedInfiniteSampler',
    'SeedStepsHook',
]
