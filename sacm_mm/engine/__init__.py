"""Hooks and optimiser wrappers, registered on import."""

from .checkpoint import CheckpointHook
from .fast_training import FastTrainingHook
from .optim_wrapper import BFloat16OptimWrapper
from .picture_grid import PictureGridHook
from .progress_bar import ProgressBarHook

__all__ = [
    'BFloat16OptimWrapper',
    'CheckpointHook',
    'FastTrainingHook',
    'PictureGridHook',
    'ProgressBarHook',
]
