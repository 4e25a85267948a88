"""SA-ConvMixer for the OpenMMLab stack.

Importing this package is cheap: the registries load the modules behind a ``type='sacm_mm.X'`` when
a config first asks for one, and the names below are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = '0.2.0'

if TYPE_CHECKING:  # what IDEs and mypy see; tests compare it with the table below
    from sacm_mm.apis.predictor import load as load
    from sacm_mm.apis.test import test as test
    from sacm_mm.apis.train import train as train
    from sacm_mm.core.configs import config_folder as config_folder
    from sacm_mm.core.errors import UserError as UserError
    from sacm_mm.evaluation.depth_metric import DepthMetric as DepthMetric
    from sacm_mm.kernels.accelerating import accelerate as accelerate
    from sacm_mm.models.backbones.conv_mlp import ConvMLP as ConvMLP
    from sacm_mm.models.backbones.cs_mixer import CSMixer as CSMixer
    from sacm_mm.models.backbones.sa_convmixer import SAConvMixer as SAConvMixer
    from sacm_mm.models.backbones.sa_convmixer import convert_stem as convert_stem
    from sacm_mm.models.depth_estimator import DepthEstimator as DepthEstimator
    from sacm_mm.models.heads.pixel_shuffle_depth_head import (
        PixelShuffleDepthHead as PixelShuffleDepthHead,
    )
    from sacm_mm.models.heads.pixel_shuffle_head import PixelShuffleHead as PixelShuffleHead
    from sacm_mm.models.joint_estimator import SegDepthEstimator as SegDepthEstimator
    from sacm_mm.models.necks.pixel_shuffle_pyramid import (
        PixelShufflePyramid as PixelShufflePyramid,
    )
    from sacm_mm.swap.swapping import swap_backbone as swap_backbone

_PUBLIC = {
    'SAConvMixer': 'sacm_mm.models.backbones.sa_convmixer',
    'convert_stem': 'sacm_mm.models.backbones.sa_convmixer',
    'ConvMLP': 'sacm_mm.models.backbones.conv_mlp',
    'CSMixer': 'sacm_mm.models.backbones.cs_mixer',
    'PixelShufflePyramid': 'sacm_mm.models.necks.pixel_shuffle_pyramid',
    'PixelShuffleHead': 'sacm_mm.models.heads.pixel_shuffle_head',
    'PixelShuffleDepthHead': 'sacm_mm.models.heads.pixel_shuffle_depth_head',
    'DepthEstimator': 'sacm_mm.models.depth_estimator',
    'SegDepthEstimator': 'sacm_mm.models.joint_estimator',
    'DepthMetric': 'sacm_mm.evaluation.depth_metric',
    'accelerate': 'sacm_mm.kernels.accelerating',
    'load': 'sacm_mm.apis.predictor',
    'train': 'sacm_mm.apis.train',
    'test': 'sacm_mm.apis.test',
    'swap_backbone': 'sacm_mm.swap.swapping',
    'UserError': 'sacm_mm.core.errors',
    'config_folder': 'sacm_mm.core.configs',
}

__all__ = ['__version__', *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in ('convert', 'deploy'):  # sacm_mm.convert.load, without another import
        return import_module(f'sacm_mm.{name}')
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
