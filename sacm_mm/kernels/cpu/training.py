"""The mixer block's parts between its matrix products, each in one pass over memory, on CPUs.

``norm(act(x))`` and ``x + norm(act(depthwise(x)))`` in training, with the batch's statistics.
PyTorch runs them as five passes forward and more backward, which take most of a training step. The
compiled kernels give the same results to rounding. In the backward pass they compute the
activations anew, so that they also keep less.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.operators import mix_act_norm
from sacm_mm.kernels.recognition import Half, dtype_of

# the type of the parameters for each of the maps
_WIDE = {
    torch.bfloat16: torch.float32,
    torch.float32: torch.float32,
    torch.float64: torch.float64,
}


def knows(half: Half) -> bool:
    """Tell whether there is a kernel of this size."""
    return half.kernel in (1, *native.KERNEL_SIZES)


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
        and native.available('training')
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
    y, mean, variance = mix_act_norm(x, *parameters, norm.eps, half.relu, residual, half.dilation)
    _update(norm, mean, variance, x.numel() // x.shape[1])
    return y


@torch.no_grad()
def _update(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, values: int) -> None:
    """Move the running statistics towards a batch's, as ``nn.BatchNorm2d`` does.

    Args:
        norm: The norm; in evaluation mode, or where it is told not to, nothing changes.
        mean: The batch's, (C,).
        variance: The batch's biased variance, (C,).
        values: Values a channel.
    """
    if not norm.training or not norm.track_running_stats:
        return
    if norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    weight: Any = norm.momentum
    if weight is None:  # the average of all batches; as a tensor, for which no GPU is waited for
        assert norm.num_batches_tracked is not None
        weight = (1 / norm.num_batches_tracked).to(norm.running_mean.dtype)
    unbiased = variance * (values / (values - 1))
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), weight)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), weight)
