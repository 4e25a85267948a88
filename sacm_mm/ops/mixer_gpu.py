"""Compute the halves of a mixer block by fused GPU kernels, where they can.

``x + norm(gelu(depthwise(x)))`` and ``norm(gelu(pointwise(x)))``, from the modules that hold the
parameters: in evaluation with fixed statistics, in training with those of the batch, updating the
running ones as ``nn.BatchNorm2d`` does. Whoever calls asks ``fuses`` first.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from sacm_mm.ops import mixer_operators as operators
from sacm_mm.ops.pointwise import convolve_pointwise

_KERNELS = range(3, 10, 2)
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_enabled = os.environ.get('SACM_FUSED', '1') != '0'
_devices = ('cuda',)
_HAS_TRITON = find_spec('triton') is not None


def use_fused(enabled: bool) -> None:
    """Turn the fused kernels on (as they are from the start) or off.

    The environment variable ``SACM_FUSED=0`` turns them off for a whole process.
    """
    global _enabled
    _enabled = enabled


def fused_available(device: torch.device) -> bool:
    """Tell whether there are fused kernels for this device, and they are on."""
    return _enabled and _supported(device)


@torch.compiler.assume_constant_result
def _supported(device: torch.device) -> bool:
    if device.type != 'cuda' or device.type not in _devices:
        return device.type in _devices
    # ROCm builds of PyTorch call their devices 'cuda' too; the kernels were never run there.
    return (
        _HAS_TRITON
        and torch.version.cuda is not None
        and torch.cuda.get_device_capability(device) >= (8, 0)
    )


def fuses(x: Tensor, conv: nn.Module, act: nn.Module, norm: nn.Module) -> bool:
    """Tell whether one half of a block computes the same by its fused kernel.

    It does for exact GELU, ``nn.BatchNorm2d`` itself (synchronized norms and others gather their
    statistics in their own way), 'same' depthwise convolutions of 3 to 9 pixels and 1x1 ones.
    Fixed statistics need no gradients, those of the batch more than one value a channel. What
    traces or exports a network sees the plain modules, and so does whoever hooked one of them.
    """
    if not fused_available(x.device) or x.dim() != 4 or not x.numel():
        return False
    if _dtype(x) not in _DTYPES or torch.jit.is_tracing() or torch.compiler.is_exporting():
        return False
    if type(norm) is not nn.BatchNorm2d or type(act) is not nn.GELU or act.approximate != 'none':
        return False
    if any(_hooked(module) for module in (conv, act, norm)) or not _is_fusable_conv(conv):
        return False
    if not _uses_batch(norm):
        parameters = (*conv.parameters(), *norm.parameters())
        wanted = x.requires_grad or any(p.requires_grad for p in parameters)
        return not (torch.is_grad_enabled() and wanted)
    return x.numel() > x.shape[1]


def residual_depthwise(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Compute ``x + norm(gelu(conv(x)))``, (N, C, H, W) -> (N, C, H, W)."""
    x = x.to(_dtype(x))
    if not _uses_batch(norm):
        return operators.depthwise_eval(x, conv.weight, conv.bias, *_fixed(norm))
    y, _, mean, var = operators.depthwise_norm(
        x, conv.weight, conv.bias, norm.weight, norm.bias, norm.eps
    )
    _update(norm, mean, var, x)
    return y


def pointwise_norm(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Compute ``norm(gelu(conv(x)))`` for a 1x1 convolution, (N, C, H, W) -> (N, D, H, W)."""
    x = x.to(_dtype(x))
    if not _uses_batch(norm):
        return operators.pointwise_eval(x, conv.weight, conv.bias, *_fixed(norm))
    # The bias is added in the passes that follow, which costs nothing there.
    u = convolve_pointwise(x, conv.weight)
    y, mean, var = operators.gelu_norm(u, conv.bias, norm.weight, norm.bias, norm.eps)
    _update(norm, mean, var, u)
    return y


def _dtype(x: Tensor) -> torch.dtype:
    """Return the type to compute in: autocast's, where that is on."""
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def _is_fusable_conv(conv: nn.Module) -> bool:
    if not isinstance(conv, nn.Conv2d) or conv.stride != (1, 1) or conv.dilation != (1, 1):
        return False
    if conv.kernel_size == (1, 1):
        return conv.groups == 1 and conv.padding == (0, 0)
    k = conv.kernel_size[0]
    same = conv.kernel_size == (k, k) and conv.padding == (k // 2, k // 2)
    depthwise = conv.groups == conv.in_channels == conv.out_channels
    return same and depthwise and k in _KERNELS and conv.padding_mode == 'zeros'


def _hooked(module: nn.Module) -> bool:
    return any(
        (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        )
    )


def _uses_batch(norm: nn.BatchNorm2d) -> bool:
    return norm.training or norm.running_mean is None or norm.running_var is None


def _fixed(norm: nn.BatchNorm2d) -> tuple:
    return norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps


@torch.no_grad()
def _update(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, x: Tensor) -> None:
    """Move the running statistics towards a batch's, with the unbiased variance."""
    if not norm.training or norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    weight: Any = norm.momentum
    if weight is None:  # the average of all batches; as a tensor, for which no GPU is waited for
        assert norm.num_batches_tracked is not None
        weight = (1 / norm.num_batches_tracked).to(norm.running_mean.dtype)
    count = x.numel() // x.shape[1]
    unbiased = var * (count / (count - 1))
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), weight)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), weight)
