"""Let trained models compute by this package's kernels, with the same results to rounding."""

from __future__ import annotations

import sys
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from sacm_mm.core.errors import UserError
from sacm_mm.core.machine import cpu_has_bfloat16
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.kernels.accelerating import accelerate, fast_parts, why_no_kernels
from sacm_mm.registry import HOOKS

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16}


def check_dtype(fast: bool, dtype: str) -> None:
    """Refuse a dtype that cannot be had.

    Raises:
        UserError: It is unknown, is for kernels alone, or the processor does not compute in it.
    """
    if dtype not in DTYPES:
        raise UserError(f"unknown dtype '{dtype}': choose from {', '.join(DTYPES)}")
    if dtype == 'float32':
        return
    if not fast:
        raise UserError(f'--exact computes in float32: leave it out, or --dtype {dtype}')
    if not cpu_has_bfloat16():
        raise UserError('this processor does not compute in bfloat16: leave out --dtype')


def made_fast(model: nn.Module, dtype: str = 'float32') -> nn.Module:
    """Return what computes the same by kernels, for images of any size; else the model itself.

    Kernels are for CPUs. Where they cannot be compiled, one line says why.

    Args:
        model: A model of the hosts, with its weights, on its device.
        dtype: One that ``check_dtype`` takes; bfloat16 rounds more and is faster.

    Raises:
        UserError: There are no kernels of this dtype for the model.
    """
    on_cpu = next((p.device.type for p in model.parameters()), 'cpu') == 'cpu'
    fast = accelerate(model, dtype=DTYPES[dtype]) if on_cpu else model
    if fast_parts(fast):
        return fast
    if dtype != 'float32':
        raise UserError(
            'there are no kernels in bfloat16 for this model on this machine: leave out --dtype'
        )
    if on_cpu and (reason := why_no_kernels(model, 'inference')):
        print(f'no kernels ({reason}): the network runs as it is, slower', file=sys.stderr)
    return model


@HOOKS.register_module()
class FastTestHook(Hook):
    """Test by kernels; see ``made_fast``. The model itself is there again afterwards."""

    priority = 'LOWEST'  # after an average of the weights was put in

    def __init__(self, dtype: str = 'float32') -> None:
        self.dtype = dtype
        self._plain: Any = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the fast model in, inside of wrappers."""
        self._plain = runner.model
        runner.model = _with_inner(runner.model, made_fast(unwrapped(runner.model), self.dtype))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Put the model back."""
        runner.model = self._plain


def _with_inner(model: Any, inner: nn.Module) -> Any:
    """Return what is around a model, a copy, around another one.

    The wrappers themselves stay: hooks that were given them, such as an average of the weights,
    swap weights with what is in them.
    """
    if unwrapped(model) is model:
        return inner
    outer: Any = object.__new__(type(model))  # copying would set up processes anew
    outer.__dict__.update(model.__dict__, _modules={**model._modules})
    outer.module = _with_inner(model.module, inner)
    return outer
