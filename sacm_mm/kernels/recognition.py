"""What the kernels know exactly; whatever differs in anything runs plain.

A subclass, a hook, another padding, a replaced ``forward``: each may compute something else than
the layer that it looks like. So types are compared, not names or sizes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from sacm_mm.models.backbones.sa_convmixer import MixerBlock, PatchEmbed, SAConvMixer
from sacm_mm.models.depthwise import DepthwiseConv2d

# The modules that the forward pass of each is known to use; with another it is another network.
_PARTS = {
    MixerBlock: ('depthwise', 'norm1', 'pointwise', 'norm2', 'act', 'squeeze', 'drop_path'),
    PatchEmbed: ('proj', 'act', 'norm'),
    SAConvMixer: ('stem', 'blocks'),
}
_HOOKS = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks', '_backward_pre_hooks')


class Half(NamedTuple):
    """Half of a mixer block, ``norm(act(conv(x)))``; it holds the modules, for their parameters.

    Attributes:
        conv: A 'same' depthwise convolution with a square odd kernel, or a 1x1 convolution.
        norm: A batch norm.
        relu: The activation is ReLU, else the exact GELU.
    """

    conv: Any
    norm: Any
    relu: bool

    @property
    def kernel(self) -> int:
        """Width of the depthwise kernel, 1 for a 1x1 convolution."""
        return self.conv.kernel_size[0]

    @property
    def dilation(self) -> int:
        """Distance in pixels of the values that a depthwise kernel reads."""
        return self.conv.dilation[0]

    @property
    def uses_batch(self) -> bool:
        """Whether the norm takes the batch's statistics, else fixed ones."""
        norm = self.norm
        return norm.training or norm.running_mean is None or norm.running_var is None


def recognise(conv: nn.Module, act: nn.Module, norm: nn.Module) -> Half | None:
    """Recognise half of a mixer block, by every property that its value depends on."""
    if not is_exactly(norm, nn.BatchNorm2d) or not (is_gelu(act) or is_exactly(act, nn.ReLU)):
        return None
    if not (is_pointwise(conv) or is_depthwise(conv)):
        return None
    half = Half(conv, norm, type(act) is nn.ReLU)
    vectors = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    shape = (half.conv.out_channels,)
    return half if all(v is None or _is_plain(v, shape) for v in vectors) else None


def is_exactly(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Tell whether a module is of one of these types, not of a subclass, and nobody changed it."""
    return type(module) in kinds and not is_changed(module)


def is_changed(module: nn.Module) -> bool:
    """Tell whether a module was given hooks or another ``forward``."""
    return 'forward' in module.__dict__ or any(getattr(module, hooks) for hooks in _HOOKS)


def has_known_parts(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Tell whether a module of this package has the parts that its forward pass is known to use."""
    return tuple(module._modules) == _PARTS[kind]


def is_gelu(act: nn.Module) -> bool:
    """Tell whether an activation is the exact GELU."""
    return is_exactly(act, nn.GELU) and getattr(act, 'approximate', None) == 'none'


def is_pointwise(conv: Any) -> bool:
    """Tell whether a module is a plain 1x1 convolution."""
    return _is_conv(conv) and conv.kernel_size == (1, 1) and conv.groups == 1


def is_depthwise(conv: Any) -> bool:
    """Tell whether a module is a 'same' convolution of each channel by a square odd kernel."""
    return (
        _is_conv(conv)
        and conv.kernel_size[0] > 1
        and conv.groups == conv.in_channels == conv.out_channels
    )


def _is_conv(conv: Any) -> bool:
    """Tell whether a module is a convolution of stride 1, padded by zeros to the size it had."""
    if not is_exactly(conv, nn.Conv2d, DepthwiseConv2d):
        return False
    k, d = conv.kernel_size[0], conv.dilation[0]
    vectors = () if conv.bias is None else (conv.bias,)
    return (
        k % 2 == 1
        and conv.kernel_size == (k, k)
        and conv.stride == (1, 1)
        and conv.dilation == (d, d)
        and conv.padding == (d * (k // 2),) * 2
        and conv.padding_mode == 'zeros'
        and _is_plain(conv.weight, (conv.out_channels, conv.in_channels // conv.groups, k, k))
        and all(_is_plain(v, (conv.out_channels,)) for v in vectors)
    )


def is_identity(drop_path: nn.Module) -> bool:
    """Tell whether a drop path passes all on."""
    if is_exactly(drop_path, DropPath):
        return not drop_path.training or not drop_path.drop_prob
    return is_exactly(drop_path, nn.Identity)


def dtype_of(x: Tensor) -> torch.dtype:
    """Return the type that a convolution of ``x`` is computed in: autocast's, where that is on."""
    if x.dtype == torch.float64 or not x.is_floating_point():
        return x.dtype
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


_GLOBAL_HOOKS = ('forward', 'forward_pre', 'backward', 'backward_pre')


def watched() -> bool:
    """Tell whether something other than PyTorch's eager mode or compiler follows the modules.

    An export or a trace has to see layers, and so do hooks on all modules, such as those that count
    operations.
    """
    if torch.jit.is_tracing() or torch.compiler.is_exporting():
        return True
    if torch.compiler.is_compiling():
        return False
    return any(getattr(nn.modules.module, f'_global_{hooks}_hooks') for hooks in _GLOBAL_HOOKS)


def _is_plain(tensor: Any, shape: tuple[int, ...]) -> bool:
    return type(tensor) in (Tensor, nn.Parameter) and tensor.shape == shape
