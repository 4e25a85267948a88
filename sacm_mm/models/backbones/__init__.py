"""Backbones; each file of this folder is imported, and registers what it holds."""

from importlib import import_module
from pathlib import Path

from .conv_mlp import ConvMLP
from .cs_mixer import CSMixer
from .sa_convmixer import SAConvMixer, convert_stem

__all__ = ['CSMixer', 'ConvMLP', 'SAConvMixer', 'convert_stem']

for _file in sorted(Path(__file__).parent.glob('[!_]*.py')):
    import_module(f'{__name__}.{_file.stem}')
