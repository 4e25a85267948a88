"""Compute the halves of a mixer block by fused GPU kernels, where they can.

``x + norm(gelu(depthwise(x)))`` and ``norm(gelu(pointwise(x)))``: in evaluation with fixed
statistics, in training with those of the batch, updating the running ones as ``nn.BatchNorm2d``
does. Whoever calls asks ``takes`` first.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from sacm_mm.kernels.gpu import operators
from sacm_mm.kernels.gpu.pointwise import convolve_pointwise
from sacm_mm.kernels.recognition import Half, dtype_of
from sacm_mm.kernels.statistics import update

_KERNELS = (1, 3, 5, 7, 9)
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_HAS_TRITON = find_spec('triton') is not None


@torch.compiler.assume_constant_result
def available(device: torch.device) -> bool:
    """Tell whether there are kernels for this device."""
    # ROCm builds of PyTorch call their devices 'cuda' too; the kernels were never run there.
    return (
        device.type == 'cuda'
        and _HAS_TRITON
        and torch.version.cuda is not None
        and torch.cuda.get_device_capability(device) >= (8, 0)
    )


def knows(half: Half) -> bool:
    """Tell whether there is a kernel of this size, dilation and activation."""
    return half.kernel in _KERNELS and half.dilation == 1 and not half.relu


def takes(x: Tensor, half: Half) -> bool:
    """Tell whether a kernel computes this half of ``x``.

    Fixed statistics need no gradients, those of the batch more than one value a channel.
    """
    if not available(x.device) or not knows(half) or dtype_of(x) not in _DTYPES:
        return False
    if x.dim() != 4 or not x.numel() or x.shape[1] != half.conv.in_channels:
        return False
    if not half.uses_batch:
        parameters = (*half.conv.parameters(), *half.norm.parameters())
        wanted = x.requires_grad or any(p.requires_grad for p in parameters)
        return not (torch.is_grad_enabled() and wanted)
    return x.numel() > x.shape[1]


def mix(x: Tensor, half: Half) -> Tensor:
    """Compute ``x + norm(gelu(conv(x)))``, (N, C, H, W) -> (N, C, H, W)."""
    x = x.to(dtype_of(x))
    conv, norm = half.conv, half.norm
    if not half.uses_batch:
        return operators.depthwise_eval(x, conv.weight, conv.bias, *_fixed(half))
    y, _, mean, var = operators.depthwise_norm(
        x, conv.weight, conv.bias, norm.weight, norm.bias, norm.eps
    )
    update(norm, mean, var, x.numel() // x.shape[1])
    return y


def project(x: Tensor, half: Half) -> Tensor:
    """Compute ``norm(gelu(conv(x)))`` for a 1x1 convolution, (N, C, H, W) -> (N, D, H, W)."""
    x = x.to(dtype_of(x))
    conv, norm = half.conv, half.norm
    if not half.uses_batch:
        return operators.pointwise_eval(x, conv.weight, conv.bias, *_fixed(half))
    # The bias is added in the passes that follow, which costs nothing there.
    u = convolve_pointwise(x, conv.weight)
    y, mean, var = operators.gelu_norm(u, conv.bias, norm.weight, norm.bias, norm.eps)
    update(norm, mean, var, u.numel() // u.shape[1])
    return y


def _fixed(half: Half) -> tuple:
    norm = half.norm
    return norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps
