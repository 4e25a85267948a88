"""Build a model and run it without its weights, to learn what it hands on.

Parameters live on the meta device, where a 1 GB network takes no memory and a forward pass only
works out shapes.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any

import torch
from mmengine.config import ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.overrides import TorchFunctionMode

from sacm_mm.core.errors import UserError, causes, one_line

_LARGE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)


_COMPILE = 'pip install --no-build-isolation --no-binary onedl-mmcv onedl-mmcv'
_INSTALL = {
    'mmdet': 'onedl-mmdetection',
    'timm': 'timm',
    'ftfy': 'ftfy',
    'ldm': 'onedl-mmsegmentation[optional]',
}


class _MetaParameters(TorchFunctionMode):
    """Make what becomes a parameter on the meta device; small tables stay real.

    ``torch.device('meta')`` alone does not do: the hosts read drop path rates off a ``linspace``
    while they build.
    """

    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None):
        kwargs = dict(kwargs or {})
        if func in _LARGE and kwargs.get('device') is None:
            kwargs['device'] = 'meta'
        return func(*args, **kwargs)


def build_part(cfg: Mapping, scope: str = 'mmengine', meta: bool = True) -> nn.Module:
    """Build a model or a part of one, by default on the meta device.

    SyncBN is made BN, for it needs a GPU, and no pretrained weights are loaded.

    Raises:
        UserError: The config does not build; the reason is the host's.
    """
    cfg = without_weights(cfg)
    with quiet(), DefaultScope.overwrite_default_scope(scope):
        try:
            if not meta:
                return revert_sync_batchnorm(MODELS.build(cfg))
            try:
                with _MetaParameters():
                    model = MODELS.build(cfg)
            except (NotImplementedError, RuntimeError) as error:
                if 'meta tensor' not in str(error):  # LoRA copies values while it is built
                    raise
                model = MODELS.build(cfg)
            return revert_sync_batchnorm(model).to('meta')
        except UserError:
            raise
        except Exception as error:  # a constructor may fail in any way
            raise UserError(f'{cfg.get("type")} does not build: {reason(error, cfg)}') from error


def without_weights(cfg: Any) -> Any:
    """Copy a config without the checkpoints that it names, so that nothing is downloaded."""
    if isinstance(cfg, Mapping):
        return ConfigDict(
            {
                key: without_weights(value)
                for key, value in cfg.items()
                if not (key == 'pretrained' and isinstance(value, str))
                and not (key == 'init_cfg' and 'Pretrained' in str(value))
            }
        )
    if isinstance(cfg, (list, tuple)):
        return type(cfg)(without_weights(value) for value in cfg)
    return cfg


def reason(error: BaseException, cfg: Any = None) -> str:
    """Say in one line why a model does not build or run, and how to mend what an install mends."""
    text = one_line(error)
    for cause in causes(error):
        text_of_cause = str(cause)
        if 'mmcv._ext' in text_of_cause or re.search(
            'install (onedl-)?mmcv|mmcv-full', text_of_cause
        ):
            return f"needs mmcv's compiled operators: {_COMPILE}"
        if isinstance(cause, ImportError) and cause.name and cause.name.split('.')[0] in _INSTALL:
            package = cause.name.split('.')[0]
            return f'needs {package}: pip install {_INSTALL[package]}'
    if 'mmdet' in f'{text} {cfg}' and find_spec('mmdet') is None:
        return f'needs mmdet: pip install {_INSTALL["mmdet"]}'
    return text[:300]


def class_of(kind: str, scope: str) -> type | None:
    """Look up the class of a part by its type, None where there is none."""
    with quiet(), DefaultScope.overwrite_default_scope(scope):
        return MODELS.get(kind)


def run_on_meta(model: nn.Module, *shape: int, meta: bool = True) -> Any:
    """Run a model of ``build_part`` on an image of ``shape``, (N, C, H, W)."""
    with quiet(), torch.no_grad(), torch.device('meta' if meta else 'cpu'):
        return model(torch.zeros(shape))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the hosts from telling of every constructor that is only tried."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
