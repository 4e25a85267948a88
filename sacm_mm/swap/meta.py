"""Build a model and run it without its weights, to learn what it hands on.

Parameters live on the meta device, where a 1 GB network takes no memory and a forward pass only
works out shapes.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.overrides import TorchFunctionMode

from sacm_mm.cli import one_line
from sacm_mm.errors import UserError

_LARGE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)


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


def build_backbone(cfg: Mapping, scope: str = 'mmengine', meta: bool = True) -> nn.Module:
    """Build a backbone, by default without weights; SyncBN is made BN, for it needs a GPU.

    Raises:
        UserError: The config does not build; the reason is the host's.
    """
    cfg = {key: value for key, value in cfg.items() if key not in ('init_cfg', 'pretrained')}
    with quiet(), DefaultScope.overwrite_default_scope(scope):
        try:
            if not meta:
                return revert_sync_batchnorm(MODELS.build(cfg))
            with _MetaParameters():
                model = MODELS.build(cfg)
            return revert_sync_batchnorm(model).to('meta')
        except UserError:
            raise
        except Exception as error:  # a constructor may fail in any way
            raise UserError(f'{cfg.get("type")} does not build: {one_line(error)}') from error


def run_on_meta(model: nn.Module, *shape: int) -> Any:
    """Run a model of ``build_backbone`` on an image of ``shape``, (N, C, H, W)."""
    with quiet(), torch.no_grad(), torch.device('meta'):
        return model(torch.empty(shape))


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
