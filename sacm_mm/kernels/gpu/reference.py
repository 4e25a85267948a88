"""The two halves of a mixer block in plain PyTorch, by the passes that the GPU kernels make.

The batch statistics and every gradient are written out as formulas, so a check of these in float64
is a check of the kernels' mathematics. They run on any device; values are computed in float32
or wider and rounded where the kernels store them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def layout(x: Tensor) -> torch.memory_format:
    """Return the memory format in which results like ``x`` are stored."""
    if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def depthwise_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute ``x + norm(gelu(conv(x)))`` with the statistics of this batch.

    (N, C, H, W), (C, 1, k, k), (C,) -> (N, C, H, W).

    Returns:
        That, the convolution's output, and the mean and biased variance (C,) of its GELU.
    """
    pre = _store(_convolve(_wide(x), weight, bias), x)
    out, mean, var = _gelu_norm(pre, None, gamma, beta, eps)
    return _store(_wide(x) + out, x), pre, mean, var


def depthwise_norm_backward(
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    pre: Tensor,
    gamma: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, weight, bias, gamma and beta of ``depthwise_norm``."""
    dpre, dbias, dgamma, dbeta = gelu_norm_backward(dy, pre, None, gamma, mean, var, eps)
    # A stride-1 'same' convolution with an odd kernel is transposed by flipping that kernel.
    dx = _wide(dy) + _convolve(_wide(dpre), weight.flip(2, 3), None)
    n, c, h, w = x.shape
    k = weight.shape[-1]
    planes = F.conv2d(
        _wide(x).reshape(1, n * c, h, w),
        _wide(dpre).reshape(n * c, 1, h, w),
        padding=k // 2,
        groups=n * c,
    )  # (1, N * C, k, k)
    dweight = planes.view(n, c, 1, k, k).sum(0).to(weight.dtype)
    return _store(dx, x), dweight, dbias, dgamma, dbeta


def gelu_norm(
    x: Tensor, bias: Tensor | None, gamma: Tensor | None, beta: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute ``norm(gelu(x + bias))`` (N, C, H, W) with the statistics of this batch.

    Returns:
        That, and the mean and biased variance (C,) of the GELU.
    """
    out, mean, var = _gelu_norm(x, bias, gamma, beta, eps)
    return _store(out, x), mean, var


def gelu_norm_backward(
    dy: Tensor,
    x: Tensor,
    bias: Tensor | None,
    gamma: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, bias, gamma and beta of ``gelu_norm``."""
    u, g = _wide(x), _wide(dy)
    u = u if bias is None else u + _channel(bias)
    phi = 0.5 * (1 + torch.erf(u * math.sqrt(0.5)))
    centred = u * phi - _channel(mean)
    rstd = torch.rsqrt(var + eps)
    share = x.shape[1] / x.numel()
    dbeta, weighted = g.sum((0, 2, 3)), (g * centred).sum((0, 2, 3))
    scale = rstd if gamma is None else rstd * gamma
    slope = weighted * share * rstd * rstd
    da = _channel(scale) * (g - _channel(dbeta * share) - _channel(slope) * centred)
    dx = da * (phi + u * torch.exp(-0.5 * u * u) / math.sqrt(2 * math.pi))
    return _store(dx, x), dx.sum((0, 2, 3)), weighted * rstd, dbeta


def depthwise_eval(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> Tensor:
    """Compute ``x + norm(gelu(conv(x)))`` (N, C, H, W) with given statistics."""
    out = F.gelu(_convolve(_wide(x), weight, bias))
    return _store(_wide(x) + _affine(out, mean, var, gamma, beta, eps), x)


def gelu_norm_eval(
    x: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> Tensor:
    """Compute ``norm(gelu(x + bias))`` (N, C, H, W) with given statistics."""
    u = _wide(x) if bias is None else _wide(x) + _channel(bias)
    return _store(_affine(F.gelu(u), mean, var, gamma, beta, eps), x)


def pointwise_eval(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
) -> Tensor:
    """Compute ``norm(gelu(conv1x1(x)))`` (N, C, H, W) -> (N, D, H, W) with given statistics."""
    u = F.conv2d(_wide(x), _wide(weight.to(x.dtype)))
    u = u if bias is None else u + _channel(bias)
    out = _affine(F.gelu(u), mean, var, gamma, beta, eps)
    return out.to(x.dtype).contiguous(memory_format=layout(x))


def _gelu_norm(x, bias, gamma, beta, eps) -> tuple[Tensor, Tensor, Tensor]:
    a = F.gelu(_wide(x) if bias is None else _wide(x) + _channel(bias))
    mean = a.mean((0, 2, 3))
    var = (a - _channel(mean)).square().mean((0, 2, 3))
    return _affine(a, mean, var, gamma, beta, eps), mean, var


def _affine(a, mean, var, gamma, beta, eps) -> Tensor:
    out = (a - _channel(mean)) * _channel(torch.rsqrt(_wide(var) + eps))
    out = out if gamma is None else out * _channel(gamma)
    return out if beta is None else out + _channel(beta)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    bias = None if bias is None else bias.to(x.dtype)
    return F.conv2d(x, weight.to(x.dtype), bias, padding=weight.shape[-1] // 2, groups=x.shape[1])


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _channel(vector: Tensor) -> Tensor:
    return _wide(vector).view(-1, 1, 1)


def _store(value: Tensor, like: Tensor) -> Tensor:
    return value.to(like.dtype).contiguous(memory_format=layout(like))
