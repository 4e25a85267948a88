"""The mixer block's parts between its matrix products, each in one pass over memory, on CPUs.

``norm(act(x))`` and ``x + norm(act(depthwise(x)))`` in training, with the batch's statistics.
PyTorch runs them as five passes forward and more backward, which take most of a training step. The
compiled kernels give the same results to rounding. In the backward pass they compute the
activations anew, so that they also keep less.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.recognition import Half, dtype_of
from sacm_mm.kernels.statistics import update

# the type of the parameters for each of the maps
_WIDE = {
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}


@torch.library.custom_op('sacm_mm::mix_act_norm', mutates_args=())
def _mix(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    norm_weight: Tensor,
    norm_bias: Tensor,
    eps: float,
    relu: bool,
    residual: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    y = torch.empty_like(x)
    mean, variance = torch.empty_like(norm_weight), torch.empty_like(norm_weight)
    native.call(
        x,
        weight.shape[-1] if weight is not None else 0,
        relu,
        residual,
        eps,
        weight=weight,
        bias=bias,
        norm_weight=norm_weight,
        norm_bias=norm_bias,
        y=y,
        mean=mean,
        variance=variance,
    )
    return y, mean, variance


@_mix.register_fake
def _(x, weight, bias, norm_weight, norm_bias, eps, relu, residual):
    return torch.empty_like(x), torch.empty_like(norm_weight), torch.empty_like(norm_weight)


@torch.library.custom_op('sacm_mm::mix_act_norm_backward', mutates_args=())
def _mix_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    norm_weight: Tensor,
    norm_bias: Tensor,
    eps: float,
    relu: bool,
    residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    grads = _empty_grads(x, weight, norm_weight)
    names = ('grad_x', 'grad_weight', 'grad_bias', 'grad_norm_weight', 'grad_norm_bias')
    native.call(
        x,
        weight.shape[-1] if weight is not None else 0,
        relu,
        residual,
        eps,
        weight=weight,
        bias=bias,
        norm_weight=norm_weight,
        norm_bias=norm_bias,
        grad=grad,
        **dict(zip(names, grads)),
    )
    return grads


@_mix_backward.register_fake
def _(grad, x, weight, bias, norm_weight, norm_bias, eps, relu, residual):
    return _empty_grads(x, weight, norm_weight)


def _empty_grads(
    x: Tensor, weight: Tensor | None, norm_weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    grad_weight = norm_weight.new_empty(0) if weight is None else torch.empty_like(weight)
    return (
        torch.empty_like(x),
        grad_weight,
        torch.empty_like(norm_weight),
        torch.empty_like(norm_weight),
        torch.empty_like(norm_weight),
    )


def _setup_context(ctx, inputs, output) -> None:
    *tensors, ctx.eps, ctx.relu, ctx.residual = inputs
    ctx.save_for_backward(*tensors)
    ctx.mark_non_differentiable(*output[1:])


def _backward(ctx, grad: Tensor, *_):
    x, weight, bias, norm_weight, norm_bias = ctx.saved_tensors
    grads = _mix_backward(
        grad.contiguous(),
        x,
        weight,
        bias,
        norm_weight,
        norm_bias,
        ctx.eps,
        ctx.relu,
        ctx.residual,
    )
    grad_x, grad_weight, grad_bias, *grad_norm = grads
    return (
        grad_x,
        None if weight is None else grad_weight,
        None if bias is None else grad_bias,
        *grad_norm,
        None,
        None,
        None,
    )


_mix.register_autograd(_backward, setup_context=_setup_context)


def knows(half: Half) -> bool:
    """Tell whether there is a kernel of this size."""
    return half.kernel in (1, *native.KERNEL_SIZES) and half.dilation == 1


def takes(x: Tensor, half: Half) -> bool:
    """Tell whether a kernel computes this half of ``x``: on a CPU, with the batch's statistics.

    A single value a channel is left to the norm, which refuses it.
    """
    wide = _WIDE.get(dtype_of(x))
    parameters = (half.conv.weight, half.conv.bias, half.norm.weight, half.norm.bias)
    return (
        x.device.type == 'cpu'
        and x.dim() == 4
        and x.numel() > x.shape[1] == half.conv.in_channels
        and knows(half)
        and half.uses_batch
        and half.norm.affine
        and all(p is None or (p.dtype == wide and p.device.type == 'cpu') for p in parameters)
        and native.available()
    )


def mix(x: Tensor, half: Half, residual: bool) -> Tensor:
    """Compute ``norm(act(conv(x)))`` of (N, C, H, W), plus ``x`` with ``residual``.

    Ask ``takes`` first.
    """
    return _run(x, half.conv.weight, half.conv.bias, half, residual)


def project(x: Tensor, half: Half) -> Tensor:
    """Compute ``norm(act(conv(x)))`` for a 1x1 convolution, (N, C, H, W) -> (N, D, H, W).

    Ask ``takes`` first.
    """
    return act_norm(pointwise(x, half.conv.weight), half)


def act_norm(x: Tensor, half: Half) -> Tensor:
    """Compute ``norm(act(x + bias))`` of (N, D, H, W), what is left of ``half`` after a product."""
    return _run(x, None, half.conv.bias, half, False)


class _Pointwise(torch.autograd.Function):
    """Products of a matrix (D, C) and each image (N, C, P)."""

    @staticmethod
    def forward(ctx, x: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(x, matrix)
        return torch.bmm(matrix.expand(len(x), -1, -1), x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, matrix = ctx.saved_tensors
        grad_x = grad_matrix = None
        if ctx.needs_input_grad[0]:  # transposed before it is expanded, or each image's is copied
            grad_x = torch.bmm(matrix.t().contiguous().expand(len(x), -1, -1), grad)
        if ctx.needs_input_grad[1]:
            grad_matrix = torch.bmm(grad, x.transpose(1, 2)).sum(0)
        return grad_x, grad_matrix


def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply (N, C, H, W) by (D, C, 1, 1) -> (N, D, H, W).

    A matrix product for each image: a convolution reorders its input and output on a CPU.
    """
    n, _, h, w = x.shape
    x = x.to(dtype_of(x))
    y = _Pointwise.apply(x.flatten(2), weight.flatten(1).to(x.dtype))
    return y.view(n, -1, h, w)


def _run(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, half: Half, residual: bool
) -> Tensor:
    norm = half.norm
    parameters = (weight, bias, norm.weight, norm.bias)
    x = x.to(dtype_of(x)).contiguous()
    y, mean, variance = _mix(x, *parameters, norm.eps, half.relu, residual)
    update(norm, mean, variance, x.numel() // x.shape[1])
    return y
