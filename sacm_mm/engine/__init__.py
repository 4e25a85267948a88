"""Hooks and optimiser wrappers, registered on import."""

from .checkpoint import CheckpointHook
from .optim_wrapper import BFloat16OptimWrapper
from .picture_grid import PictureGridHook
from .progress_bar import ProgressBarHook

__all__ = ['BFloat16OptimWrapper', 'CheckpointHook', 'PictureGridHook', 'ProgressBarHook']
