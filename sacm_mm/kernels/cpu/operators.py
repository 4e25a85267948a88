"""The kernels of ``csrc/`` as PyTorch operators: their types, shapes and gradients.

``native`` loads what they run; ask it first.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sacm_mm.core.errors import UserError

_HALF = (
    'Tensor x, Tensor? weight, Tensor? bias, Tensor norm_weight, Tensor norm_bias, '
    'float eps, bool relu, bool residual, int dilation'
)
torch.library.define('sacm_mm_cpu::mix_act_norm', f'({_HALF}) -> (Tensor, Tensor, Tensor)')
torch.library.define(
    'sacm_mm_cpu::mix_act_norm_backward',
    f'(Tensor grad, {_HALF}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)',
)
torch.library.define(
    'sacm_mm_cpu::token_mixing',
    '(Tensor x, Tensor taps, Tensor vectors, bool gelu, int dilation, Tensor(a!) out) -> ()',
)
_operators: Any = torch.ops.sacm_mm_cpu


def mix_act_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    norm_weight: Tensor,
    norm_bias: Tensor,
    eps: float,
    relu: bool,
    residual: bool,
    dilation: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute ``norm(act(conv(x)))`` with the batch's statistics, plus ``x`` with ``residual``.

    Args:
        x: Maps (N, C, H, W), contiguous, float32, bfloat16 or float64.
        weight: Depthwise kernels (C, 1, k, k), k one of ``native.KERNEL_SIZES``; None is the
            identity. Parameters are float32, for float64 maps float64.
        bias: (C,), added before the activation.
        norm_weight: (C,).
        norm_bias: (C,).
        eps: The norm's.
        relu: The activation is ReLU, else GELU.
        residual: Add ``x``.
        dilation: Of the kernels.

    Returns:
        That, and the mean and biased variance (C,) of the activations.
    """
    return _operators.mix_act_norm(
        x, weight, bias, norm_weight, norm_bias, eps, relu, residual, dilation
    )


def token_mixing(
    x: Tensor, taps: Tensor, vectors: Tensor, gelu: bool, dilation: int, out: Tensor
) -> Tensor:
    """Compute ``v + scale * act(depthwise(v) + bias)`` for ``v = in_scale * act(x) + in_shift``.

    Args:
        x: Maps (N, H, W, C), float32 or bfloat16, C a multiple of 32.
        taps: Kernels (k * k, C), float32, k one of ``native.KERNEL_SIZES``; zeros pad v.
        vectors: (4, C), float32: bias, scale, in_scale, in_shift.
        gelu: Both activations are GELU, else ReLU.
        dilation: Of the kernels.
        out: Where the result goes, like ``x``, and what is returned.
    """
    _operators.token_mixing(x, taps, vectors, gelu, dilation, out)
    return out


@torch.library.register_fake('sacm_mm_cpu::mix_act_norm')
def _(x, weight, bias, norm_weight, norm_bias, eps, relu, residual, dilation):
    return torch.empty_like(x), torch.empty_like(norm_weight), torch.empty_like(norm_weight)


@torch.library.register_fake('sacm_mm_cpu::mix_act_norm_backward')
def _(grad, x, weight, bias, norm_weight, norm_bias, eps, relu, residual, dilation):
    grad_weight = norm_weight.new_empty(0) if weight is None else torch.empty_like(weight)
    vectors = (torch.empty_like(norm_weight) for _ in range(3))
    return torch.empty_like(x), grad_weight, *vectors


def _setup_context(ctx, inputs, output) -> None:
    tensors, ctx.options = inputs[:5], inputs[5:]
    ctx.save_for_backward(*tensors)
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx, grad: Tensor, *_):
    _, weight, bias, *_ = tensors = ctx.saved_tensors
    grads = _operators.mix_act_norm_backward(grad.contiguous(), *tensors, *ctx.options)
    grad_x, grad_weight, grad_bias, *grad_norm = grads
    return (
        grad_x,
        None if weight is None else grad_weight,
        None if bias is None else grad_bias,
        *grad_norm,
        *(None for _ in ctx.options),
    )


def _no_second_derivative(ctx, *_):
    raise UserError(
        'the fused mixer block has no second derivative: '
        'train without --fast, or do not call sacm_mm.accelerate'
    )


torch.library.register_autograd(
    'sacm_mm_cpu::mix_act_norm', _backward, setup_context=_setup_context
)
torch.library.register_autograd('sacm_mm_cpu::mix_act_norm_backward', _no_second_derivative)
