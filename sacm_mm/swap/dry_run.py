"""Build a model and run it without its weights, to learn what it hands on.

Parameters live on the meta device, where a 1 GB network takes no memory and a forward pass only
works out shapes.
"""

from __future__ import annotations

import inspect
import io
import logging
import re
import socket
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any, NoReturn

import torch
from mmengine.config import ConfigDict
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.overrides import TorchFunctionMode

from sacm_mm.core.configs import HOSTS, change_dicts
from sacm_mm.core.errors import UserError, causes, one_line

_LARGE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full)


_COMPILE = 'pip install --no-build-isolation --no-binary onedl-mmcv onedl-mmcv'
_INSTALL = {
    'mmdet': HOSTS['mmdet'],
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


def build_part(cfg: Mapping, scope: str = 'mmengine', device: str = 'meta') -> nn.Module:
    """Build a model or a part of one, by default on the meta device.

    SyncBN is made BN, for it needs a GPU, and no pretrained weights are loaded.

    Raises:
        UserError: The config does not build; the reason is the host's.
    """
    cfg = without_weights(cfg)
    with DefaultScope.overwrite_default_scope(scope):
        return build_dry(lambda: MODELS.build(cfg), str(cfg.get('type')), device, cfg)


def build_dry(
    make: Callable[[], nn.Module], name: str, device: str = 'meta', cfg: Any = None
) -> nn.Module:
    """Call what makes a model, without weights, words or the network.

    Args:
        make: Returns the model.
        name: What it is called in messages.
        device: ``'meta'`` or ``'cpu'``.
        cfg: The config that it is made of, for the message.

    Raises:
        UserError: It does not build, or asks a server for something.
    """
    asked: list[str] = []
    failure: BaseException | None = None
    try:
        with quiet(), no_network(asked):
            model = revert_sync_batchnorm(_make(make, device))
    except UserError:
        raise
    except (Exception, NetworkAsked) as error:  # a constructor may fail in any way
        failure = error
    if asked:  # some go on without what they asked for
        raise UserError(
            f'{name} asks {asked[0]} for its weights while it is built: turn that off '
            '(pretrained=False, weights=None, or what it calls it) and load them by init_cfg'
        ) from failure
    if failure is not None:
        raise UserError(f'{name} does not build: {reason(failure, cfg)}') from failure
    return model.to(device)


def _make(make: Callable[[], nn.Module], device: str) -> nn.Module:
    if device == 'meta':
        try:
            with _MetaParameters():
                return make()
        except Exception as error:
            # LoRA copies values while it is built, other networks read numbers
            if not any('meta' in str(cause) for cause in causes(error)):
                raise
    return make()


class NetworkAsked(BaseException):
    """Somebody wants to download; not an ``Exception``, lest it is taken for a failure to retry."""


@contextmanager
def no_network(asked: list[str]) -> Iterator[None]:
    """Let no host be looked up or called meanwhile; ``asked`` gets their names."""

    def refuse(host: Any) -> NoReturn:
        asked.append(str(host))
        raise NetworkAsked(host)

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family == socket.AF_UNIX:  # between processes of this machine
            return first_connect(self, address)
        return refuse(address[0])

    first_look_up, first_connect = socket.getaddrinfo, socket.socket.connect
    socket.getaddrinfo = lambda host, *_, **__: refuse(host)
    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        socket.getaddrinfo = first_look_up
        socket.socket.connect = first_connect  # type: ignore[method-assign]


def without_weights(cfg: Any) -> Any:
    """Copy a config without the checkpoints that it names, so that nothing is downloaded."""
    return change_dicts(
        cfg,
        lambda part: ConfigDict(
            {
                key: value
                for key, value in part.items()
                if not (key == 'pretrained' and isinstance(value, str))
                and not (key == 'init_cfg' and 'Pretrained' in str(value))
            }
        ),
    )


def reason(error: BaseException, cfg: Any = None) -> str:
    """Say in one line why a model does not build or run, and how to mend what an install mends."""
    text = one_line(error, 300)
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
    return text


def class_of(kind: str, scope: str) -> type | None:
    """Look up the class of a part by its type, None where there is none."""
    with quiet(), DefaultScope.overwrite_default_scope(scope):
        return MODELS.get(kind)


def argument_of(cls: type | None, name: str) -> inspect.Parameter | None:
    """Find an argument of a class; subclasses hand ``**kwargs`` to the class that names it."""
    for parent in getattr(cls, '__mro__', ()):
        if '__init__' in vars(parent):
            found = inspect.signature(parent.__init__).parameters.get(name)
            if found is not None:
                return found
    return None


def run_on_zeros(model: Callable, *shape: int, device: str = 'meta') -> Any:
    """Run a model of ``build_part`` on an image of ``shape``, (N, C, H, W)."""
    with quiet(), torch.no_grad(), torch.device(device):
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
