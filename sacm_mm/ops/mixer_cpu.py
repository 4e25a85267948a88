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

from sacm_mm.ops import native

_LOW = (torch.bfloat16, torch.float32, torch.float64)


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


def fuse(model: nn.Module) -> bool:
    """Let the parts of a model that can use the compiled training kernels, on CPUs.

    Results are the same to rounding. The first call on a machine compiles them, which takes
    seconds; they are kept in ``$XDG_CACHE_HOME/sacm_mm``.

    Returns:
        Whether there are such parts and a compiler; if not, nothing changes.
    """
    parts: list[Any] = [m for m in model.modules() if hasattr(m, 'fused')]
    if not parts or not native.available():
        return False
    for part in parts:
        part.fused = True
    return True


def act_norm(x: Tensor, bias: Tensor | None, act: nn.Module, norm: nn.BatchNorm2d) -> Tensor:
    """Compute ``norm(act(x + bias))`` of (N, C, H, W) and (C,), and update the norm's statistics.

    Ask ``fits`` first.
    """
    return _run(x, None, bias, act, norm, residual=False)


def depthwise_act_norm(
    x: Tensor, conv: nn.Conv2d, act: nn.Module, norm: nn.BatchNorm2d, residual: bool
) -> Tensor:
    """Compute ``norm(act(conv(x)))`` of (N, C, H, W), plus ``x`` with ``residual``.

    Ask ``fits`` first.
    """
    return _run(x, conv.weight, conv.bias, act, norm, residual)


def fits(x: Tensor, act: nn.Module, *norms: nn.Module, kernel_size: int = 3) -> bool:
    """Tell whether the kernels compute this: on a CPU, with gradients and batch statistics."""
    return (
        x.device.type == 'cpu'
        and x.dtype in _LOW
        and torch.is_grad_enabled()
        and kernel_size in native.KERNEL_SIZES
        and (type(act) is nn.ReLU or (type(act) is nn.GELU and act.approximate == 'none'))
        and all(type(n) is nn.BatchNorm2d and n.training and n.affine for n in norms)
        and native.available()
    )


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
    if torch.is_autocast_enabled('cpu'):
        x = x.to(torch.get_autocast_dtype('cpu'))
    y = _Pointwise.apply(x.flatten(2), weight.flatten(1).to(x.dtype))
    return y.view(n, -1, h, w)


def _run(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    act: nn.Module,
    norm: nn.BatchNorm2d,
    residual: bool,
) -> Tensor:
    if torch.is_autocast_enabled('cpu'):
        x = x.to(torch.get_autocast_dtype('cpu'))
    relu = isinstance(act, nn.ReLU)
    parameters = (weight, bias, norm.weight, norm.bias)
    y, mean, variance = _mix(x.contiguous(), *parameters, norm.eps, relu, residual)
    with torch.no_grad():
        _count(norm, mean, variance, x.numel() // x.shape[1])
    return y


def _count(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, values: int) -> None:
    """Update running statistics as ``nn.BatchNorm2d`` does, with the unbiased variance."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    momentum = norm.momentum
    if momentum is None:
        momentum = 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, momentum)
    norm.running_var.lerp_(variance * (values / max(values - 1, 1)), momentum)
