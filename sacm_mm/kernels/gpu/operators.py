"""The halves of a mixer block as PyTorch operators: with gradients, and opaque to compilers.

On CUDA they launch the kernels of ``launching``, elsewhere they compute ``reference``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.kernels.gpu import reference


def _operator(function: Callable) -> Any:
    """Make an operator of a function of ``reference`` and its namesake for CUDA."""
    name = function.__name__

    @wraps(function)
    def anywhere(x: Tensor, *arguments: Any) -> Any:
        with torch.autocast(x.device.type, enabled=False):  # types are what the caller chose
            return function(x, *arguments)

    @wraps(function)
    def on_gpu(x: Tensor, *arguments: Any) -> Any:
        from sacm_mm.kernels.gpu import launching  # needs Triton

        with torch.cuda.device_of(x), torch.autocast('cuda', enabled=False):
            return getattr(launching, name)(x, *arguments)

    operator = torch.library.custom_op(f'sacm_mm::mixer_{name}', anywhere, mutates_args=())
    operator.register_kernel('cuda')(on_gpu)
    return operator


depthwise_norm = _operator(reference.depthwise_norm)
depthwise_norm_backward = _operator(reference.depthwise_norm_backward)
depthwise_eval = _operator(reference.depthwise_eval)
gelu_norm = _operator(reference.gelu_norm)
gelu_norm_backward = _operator(reference.gelu_norm_backward)
gelu_norm_eval = _operator(reference.gelu_norm_eval)
pointwise_eval = _operator(reference.pointwise_eval)


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=reference.layout(x))


def _channels(x: Tensor) -> Tensor:
    """Return a float32 (float64 of float64) value a channel, for statistics and their gradients."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    return x.new_empty(x.shape[1], dtype=wide)


@depthwise_norm.register_fake
def _(x, weight, bias, gamma, beta, eps):
    return _like(x), _like(x), _channels(x), _channels(x)


@depthwise_norm_backward.register_fake
def _(dy, x, weight, pre, gamma, mean, var, eps):
    sums = (_channels(x) for _ in range(3))
    return _like(x), torch.empty_like(weight, memory_format=torch.contiguous_format), *sums


@gelu_norm.register_fake
def _(x, bias, gamma, beta, eps):
    return _like(x), _channels(x), _channels(x)


@gelu_norm_backward.register_fake
def _(dy, x, bias, gamma, mean, var, eps):
    return _like(x), _channels(x), _channels(x), _channels(x)


@depthwise_eval.register_fake
def _(x, weight, bias, mean, var, gamma, beta, eps):
    return _like(x)


@gelu_norm_eval.register_fake
def _(x, bias, mean, var, gamma, beta, eps):
    return _like(x)


@pointwise_eval.register_fake
def _(x, weight, bias, mean, var, gamma, beta, eps):
    n, _, h, w = x.shape
    shape = (n, weight.shape[0], h, w)
    return x.new_empty(shape).contiguous(memory_format=reference.layout(x))


def _depthwise_context(ctx, inputs, output) -> None:
    x, weight, bias, gamma, beta, ctx.eps = inputs
    _, pre, mean, var = output
    ctx.save_for_backward(x, weight, pre, gamma, mean, var)
    ctx.given = tuple(vector is not None for vector in (bias, gamma, beta))
    ctx.set_materialize_grads(False)  # of pre, a whole tensor of zeros


def _depthwise_gradients(ctx, dy, *_):
    x, weight, pre, gamma, mean, var = ctx.saved_tensors
    if dy is None:
        return (None,) * 6
    dx, dweight, *vectors = depthwise_norm_backward(dy, x, weight, pre, gamma, mean, var, ctx.eps)
    return dx, dweight, *_given(ctx, vectors), None


def _gelu_context(ctx, inputs, output) -> None:
    x, bias, gamma, beta, ctx.eps = inputs
    _, mean, var = output
    ctx.save_for_backward(x, bias, gamma, mean, var)
    ctx.given = tuple(vector is not None for vector in (bias, gamma, beta))
    ctx.set_materialize_grads(False)


def _gelu_gradients(ctx, dy, *_):
    x, bias, gamma, mean, var = ctx.saved_tensors
    if dy is None:
        return (None,) * 5
    dx, *vectors = gelu_norm_backward(dy, x, bias, gamma, mean, var, ctx.eps)
    return dx, *_given(ctx, vectors), None


def _given(ctx, vectors: list[Tensor]) -> list[Tensor | None]:
    return [vector if given else None for vector, given in zip(vectors, ctx.given)]


def _no_second_derivative(ctx, *_):
    raise UserError(
        'the fused mixer block has no second derivative: '
        'train without --fast, or do not call sacm_mm.accelerate'
    )


def _no_derivative(ctx, *_):
    raise UserError('the mixer operators with fixed statistics are for inference only')


depthwise_norm.register_autograd(_depthwise_gradients, setup_context=_depthwise_context)
gelu_norm.register_autograd(_gelu_gradients, setup_context=_gelu_context)
for backward in (depthwise_norm_backward, gelu_norm_backward):
    backward.register_autograd(_no_second_derivative)
for forward in (depthwise_eval, gelu_norm_eval, pointwise_eval):
    forward.register_autograd(_no_derivative)
