"""Hooks, samplers, schedules and optimiser wrappers, registered on import."""

from .checkpoint import CheckpointHook
from .class_figures import ClassFiguresHook
from .early_stopping import EarlyStoppingHook
from .exact_resume import (
    DefaultSampler,
    InfiniteSampler,
    ReplayedInfiniteSampler,
    SeedStepsHook,
)
from .fast_testing import FastTestHook
from .fast_training import FastTrainingHook
from .keep_samples import KeepSamplesHook
from .muon import Muon
from .one_cycle import OneCycleLR
from .optim_wrapper import BFloat16OptimWrapper
from .picture_grid import PictureGridHook
from .progress_bar import ProgressBarHook
from .safe_training import StopOnNonFiniteHook, StopOnSignalHook
from .save_predictions import SavePredictionsHook
from .shown_pictures import ClsVisualizationHook, SegVisualizationHook
from .val_loss import ValLossHook
from .whiten_stem import WhitenStemHook

__all__ = [
    'BFloat16OptimWrapper',
    'CheckpointHook',
    'ClassFiguresHook',
    'ClsVisualizationHook',
    'DefaultSampler',
    'EarlyStoppingHook',
    'FastTestHook',
    'FastTrainingHook',
    'InfiniteSampler',
    'KeepSamplesHook',
    'Muon',
    'OneCycleLR',
    'PictureGridHook',
    'ProgressBarHook',
    'ReplayedInfiniteSampler',
    'SavePredictionsHook',
    'SeedStepsHook',
    'SegVisualizationHook',
    'StopOnNonFiniteHook',
    'StopOnSignalHook',
    'ValLossHook',
    'WhitenStemHook',
]
