"""Run a SA-ConvMixer backbone on a CPU as two passes over its maps a block.

One is a compiled kernel: norm, depthwise convolution, activation, scale and residual. The other is
oneDNN's matrix product with the activation in it, which leaves the norm after it to the next
kernel. The maps are channels-last throughout.
"""

from contextlib import suppress
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sacm_mm.deploy import kernels
from sacm_mm.deploy.folding import FoldedBlock, affine, is_affine
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer


def fusible(backbone: nn.Module, example: Tensor) -> bool:
    """Tell whether ``FusedBackbone`` can take a backbone that ``fold`` has folded."""
    if not isinstance(backbone, SAConvMixer) or example.device.type != 'cpu':
        return False
    norms = [backbone.stem.norm]
    acts = [backbone.stem.act]
    for block in backbone.blocks:
        if not isinstance(block, FoldedBlock) or not isinstance(block.depthwise, nn.Conv2d):
            return False
        if block.depthwise.dilation != (1, 1):
            return False
        norms.append(block.norm2)
        acts.append(block.act)
    return (
        backbone.kernel_size in kernels.KERNEL_SIZES
        and backbone.embed_dims % kernels.CHANNELS == 0
        and all(isinstance(norm, nn.Identity) or is_affine(norm) for norm in norms)
        and (all(map(_is_gelu, acts)) or all(type(act) is nn.ReLU for act in acts))
        and example.dtype in (torch.float32, torch.bfloat16)
        and kernels.available()
    )


class FusedBackbone(nn.Module):
    """What a folded ``SAConvMixer`` computes: (N, C, H, W) -> maps (N, dim, H / r, W / r).

    Args:
        backbone: ``fusible``, and in the precision to compute in.
    """

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.patch_size, self.strides = backbone.patch_size, backbone.strides
        self.out_channels, self.out_indices = backbone.out_channels, backbone.out_indices
        self.gelu = _is_gelu(backbone.stem.act)
        self._spare: list[Tensor] = []
        self._check_input = backbone._check_input
        self.stem = FusedLinear(backbone.stem.proj, self.gelu)
        self.mixers = nn.ModuleList()
        self.linears = nn.ModuleList()
        norm = backbone.stem.norm
        for block in backbone.blocks:
            self.mixers.append(TokenMixer(norm, block, self.gelu))
            self.linears.append(FusedLinear(block.pointwise, self.gelu))
            norm = block.norm2
        norms = [block.norm2 for block in backbone.blocks]
        self.norms = nn.ModuleList(norms[i] for i in self.out_indices)

    @torch.compiler.disable  # oneDNN's packed weights cannot be traced
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract the maps of ``out_indices``; channels-last in memory."""
        self._check_input(x)
        h, w = x.shape[2:]
        r = self.patch_size
        if h % r or w % r:
            x = F.pad(x, (0, -w % r, 0, -h % r), mode='replicate')
        # (N, C, H, W) -> (N, H / r, W / r, C * r * r), in the order of a convolution's weights
        x = x.unflatten(3, (-1, r)).unflatten(2, (-1, r)).permute(0, 2, 4, 1, 3, 5).flatten(3)
        x = self.stem(x)
        mixed = self._buffer(x)
        maps: dict[int, Tensor] = {}
        for i, (mixer, linear) in enumerate(zip(self.mixers, self.linears)):
            x = linear(mixer(x, mixed))
            if i in self.out_indices:
                maps[i] = x.permute(0, 3, 1, 2)  # (N, h, w, dim) -> (N, dim, h, w)
        self._spare.append(mixed)
        return tuple(norm(maps[i]) for norm, i in zip(self.norms, self.out_indices))

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
    """The norm before a ``FoldedBlock`` and the half of it that mixes tokens.

    (N, H, W, C) -> (N, H, W, C).
    """

    taps: Tensor
    vectors: Tensor

    def __init__(self, norm: nn.Module, block: FoldedBlock, gelu: bool) -> None:
        super().__init__()
        self.gelu = gelu
        weight = block.depthwise.weight.float()  # (C, 1, k, k)
        ones = torch.ones(len(weight))
        bias = 0 * ones if block.depthwise.bias is None else block.depthwise.bias.float()
        scale, shift = (ones, 0 * ones) if isinstance(norm, nn.Identity) else affine(norm)
        vectors = [bias, block.scale.float().flatten(), scale.float(), shift.float()]
        self.register_buffer('taps', weight.flatten(1).t().contiguous())
        self.register_buffer('vectors', torch.stack(vectors))

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """Mix into ``out``; see the class."""
        return kernels.token_mixing(x, self.taps, self.vectors, self.gelu, out)


class FusedLinear(nn.Module):
    """A convolution whose patches are rows, and its activation: (..., in) -> (..., out)."""

    def __init__(self, conv: nn.Conv2d, gelu: bool) -> None:
        super().__init__()
        weight = conv.weight.detach().flatten(1)  # (out, in)
        self.bias = conv.bias
        self.gelu = gelu
        self.packed = torch.backends.mkldnn.is_available()
        self.weight: Tensor
        if self.packed:
            weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), None)
        self.register_buffer('weight', weight, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply and activate; see the class."""
        if self.packed:
            act = 'gelu' if self.gelu else 'relu'
            return torch.ops.mkldnn._linear_pointwise(
                x.contiguous(), self.weight, self.bias, act, [], 'none'
            )
        x = F.linear(x, self.weight, self.bias)
        return F.gelu(x) if self.gelu else F.relu(x)


def _is_gelu(act: nn.Module) -> bool:
    return isinstance(act, nn.GELU) and act.approximate == 'none'
