"""Run a SA-ConvMixer backbone on a CPU as two passes over its maps a block.

One is a compiled kernel: activation and norm, depthwise convolution, activation, scale, residual.
The other is oneDNN's matrix product, which leaves the activation and norm after it to the next
kernel: that computes GELU in less time. The maps are channels-last throughout, into the heads.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.operators import token_mixing
from sacm_mm.kernels.folding import FoldedBlock, is_affine
from sacm_mm.kernels.recognition import is_depthwise, is_exactly, is_gelu
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer
from sacm_mm.models.backbones.staged import pad_to
from sacm_mm.models.batch_norms import affine

_CHANNELS = 32  # the number of channels is a multiple of it
_CACHED = 2**23  # bytes of a map that the passes after it still find in a cache
_DTYPES = (torch.float32, torch.bfloat16)
_ACTIVATIONS: dict[str, Any] = {'gelu': F.gelu, 'relu': F.relu, 'none': lambda x: x}


class FusedBackbone(nn.Module):
    """What a folded ``SAConvMixer`` computes: (N, C, H, W) -> maps (N, dim, H / r, W / r).

    Args:
        backbone: One that ``fuses``.
        dtype: To compute in; the maps have the image's.
    """

    # as functions: a bound method would keep the backbone, and with it the weights twice
    check_channels: Any = SAConvMixer.check_channels
    check_input: Any = SAConvMixer._check_input

    def __init__(self, backbone: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.in_channels, self.patch_size = backbone.in_channels, backbone.patch_size
        self.out_strides, self.out_channels = backbone.out_strides, backbone.out_channels
        self.out_indices, self.dtype = backbone.out_indices, dtype
        self.embed_dims, self.reach = backbone.embed_dims, backbone.reach
        gelu = is_gelu(backbone.stem.act)
        self._spare: list[Tensor] = []
        self.act = 'gelu' if gelu else 'relu'
        self.stem = FusedLinear(backbone.stem.proj, 'none', dtype)
        self.mixers = nn.ModuleList()
        self.linears = nn.ModuleList()
        norm = backbone.stem.norm
        for block in backbone.blocks:
            self.mixers.append(TokenMixer(norm, block, gelu))
            last = block is backbone.blocks[-1]
            self.linears.append(FusedLinear(block.pointwise, self.act if last else 'none', dtype))
            norm = block.norm2
        norms = [block.norm2 for block in backbone.blocks]
        self.norms = nn.ModuleList(norms[i] for i in self.out_indices).to(dtype)

    @torch.compiler.disable  # oneDNN's packed weights cannot be traced
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract the maps of ``out_indices``; channels-last in memory."""
        self.check_input(x)
        h, w = (-(-side // self.patch_size) for side in x.shape[2:])
        pictures = max(1, _CACHED // (h * w * self.embed_dims * self.dtype.itemsize))
        parts = [self._maps(part) for part in x.split(pictures)]
        return parts[0] if len(parts) == 1 else tuple(map(torch.cat, zip(*parts, strict=True)))

    def _maps(self, x: Tensor) -> tuple[Tensor, ...]:
        dtype = x.dtype
        r = self.patch_size
        x = pad_to(x.to(self.dtype), r)
        # (N, C, H, W) -> (N, H / r, W / r, C * r * r), in the order of a convolution's weights
        x = x.unflatten(3, (-1, r)).unflatten(2, (-1, r)).permute(0, 2, 4, 1, 3, 5).flatten(3)
        x = self.stem(x)
        mixed = self._buffer(x)
        maps: dict[int, Tensor] = {}
        for i, (mixer, linear) in enumerate(zip(self.mixers, self.linears)):
            x = linear(mixer(x, mixed))
            if i in self.out_indices:
                activated = x if i == len(self.linears) - 1 else _ACTIVATIONS[self.act](x)
                maps[i] = activated.permute(0, 3, 1, 2)  # (N, h, w, dim) -> (N, dim, h, w)
        self._spare.append(mixed)
        return tuple(norm(maps[i]).to(dtype) for norm, i in zip(self.norms, self.out_indices))

    def _buffer(self, x: Tensor) -> Tensor:
        """Return memory like ``x``, that of an earlier call if it fits.

        Fresh memory would cost a page fault for every 4 KiB.
        """
        with suppress(IndexError):  # another thread may hold it
            spare = self._spare.pop()
            if spare.shape == x.shape:
                return spare
        return torch.empty_like(x)


class TokenMixer(nn.Module):
    """The activation and norm before a ``FoldedBlock`` and the half of it that mixes tokens.

    (N, H, W, C) -> (N, H, W, C).
    """

    taps: Tensor
    vectors: Tensor

    def __init__(self, norm: nn.Module, block: FoldedBlock, gelu: bool) -> None:
        super().__init__()
        self.gelu, self.dilation = gelu, block.depthwise.dilation[0]
        weight = block.depthwise.weight.float()  # (C, 1, k, k)
        ones = torch.ones(len(weight))
        bias = 0 * ones if block.depthwise.bias is None else block.depthwise.bias.float()
        scale, shift = (ones, 0 * ones) if isinstance(norm, nn.Identity) else affine(norm)
        vectors = [bias, block.scale.float().flatten(), scale.float(), shift.float()]
        self.register_buffer('taps', weight.flatten(1).t().contiguous())
        self.register_buffer('vectors', torch.stack(vectors))

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """Mix into ``out``; see the class."""
        return token_mixing(x, self.taps, self.vectors, self.gelu, self.dilation, out)


class FusedLinear(nn.Module):
    """A convolution whose patches are rows, and an activation: (..., in) -> (..., out)."""

    def __init__(self, conv: nn.Conv2d, act: str, dtype: torch.dtype) -> None:
        super().__init__()
        weight = conv.weight.detach().to(dtype).flatten(1)  # (out, in)
        self.bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        self.act = act
        self.packed = _packs(dtype)
        self.weight: Tensor
        if self.packed:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)
        self.register_buffer('weight', weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply and activate; see the class."""
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise(
                x.contiguous(), self.weight, self.bias, self.act, [], 'none'
            )
        return _ACTIVATIONS[self.act](F.linear(x, self.weight, self.bias))


class FusedPointwise(FusedLinear):
    """A 1x1 convolution of maps that are channels-last in memory: (N, C, H, W) -> (N, D, H, W)."""

    def __init__(self, conv: nn.Conv2d, dtype: torch.dtype) -> None:
        super().__init__(conv, 'none', dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; see the class."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _packs(dtype: torch.dtype) -> bool:
    """Tell whether oneDNN packs weights of this type; bfloat16 it refuses on older processors."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def fuses(backbone: Any, dtype: torch.dtype) -> bool:
    """Tell whether ``FusedBackbone`` computes what one of ``folding.known_backbones`` does.

    It has to be on a CPU, and folded.
    """
    stem, blocks = backbone.stem, backbone.blocks
    norms = [stem.norm, *(block.norm2 for block in blocks)]
    acts = [stem.act, *(block.act for block in blocks)]
    return (
        stem.proj.weight.device.type == 'cpu'
        and dtype in _DTYPES
        and backbone.embed_dims % _CHANNELS == 0
        and all(type(block) is FoldedBlock and _mixes(block.depthwise) for block in blocks)
        and all(is_exactly(norm, nn.Identity) or is_affine(norm) for norm in norms)
        and (all(map(is_gelu, acts)) or all(is_exactly(act, nn.ReLU) for act in acts))
        and native.available('inference')
    )


def _mixes(conv: Any) -> bool:
    return is_depthwise(conv) and conv.kernel_size[0] in native.KERNEL_SIZES
