"""CS-Mixer: a hierarchical MLP that mixes tokens and channels at once, in groups of tokens.

Source: Cui et al., "CS-Mixer: A Cross-Scale Vision MLP Model with Spatial-Channel Mixing",
arXiv 2308.13363. What differs is said at each part.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.arch import read_arch
from sacm_mm.models.backbones.staged import RunBlock, StagedBackbone, drop_rates, pad_to
from sacm_mm.registry import MODELS

# The paper gives the sizes of L alone; T, S and B are likely, but not confirmed by it.
ARCHS: Mapping[str, Mapping] = MappingProxyType(
    {
        't': dict(embed_dims=64, depths=(1, 1, 8, 6), heads=(2, 4, 8, 16), head_dims=2),
        's': dict(embed_dims=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), head_dims=4),
        'b': dict(embed_dims=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24), head_dims=4),
        'l': dict(embed_dims=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32), head_dims=4),
    }
)
GROUP = 7  # tokens along either side of a group
MLP_RATIO = 4

# (N, rows, columns, heads, head_dims) with rows and columns each seen as two dimensions
# -> (heads, N, groups, groups, G, G, head_dims)
_LOCAL = (5, 0, 1, 3, 2, 4, 6)  # rows are (groups, G): a group is a window
_GLOBAL = (5, 0, 2, 4, 1, 3, 6)  # rows are (G, groups): a group is spread over the map


def _trunc_normal_linear(in_features: int, out_features: int) -> nn.Linear:
    linear = nn.Linear(in_features, out_features)
    nn.init.trunc_normal_(linear.weight, std=0.02)
    nn.init.zeros_(linear.bias)
    return linear


class CrossScaleEmbed(nn.Module):
    """Convolutions of several kernels on one grid, side by side.

    (N, C, H, W) -> (N, ceil(H / stride), ceil(W / stride), sum of the widths).

    Args:
        in_channels: Channels C of the input.
        widths: Output channels of each kernel size.
        stride: Stride of every convolution, the smallest kernel.
    """

    def __init__(self, in_channels: int, widths: Mapping[int, int], stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convs = nn.ModuleList(
            nn.Conv2d(in_channels, width, kernel, stride, padding=(kernel - stride) // 2)
            for kernel, width in widths.items()
        )

    def forward(self, x: Tensor) -> Tensor:
        x = pad_to(x, self.stride)
        x = torch.cat([conv(x) for conv in self.convs], dim=1)
        return x.permute(0, 2, 3, 1).contiguous()  # (N, C, H, W) -> (N, H, W, C)


class PatchEmbed(nn.Module):
    """Four kernels of stride 4, then a norm: (N, in_channels, H, W) -> (N, H / 4, W / 4, C)."""

    def __init__(self, in_channels: int, embed_dims: int) -> None:
        super().__init__()
        c = embed_dims
        self.embed = CrossScaleEmbed(in_channels, {4: c // 2, 8: c // 4, 16: c // 8, 32: c // 8}, 4)
        self.norm = nn.LayerNorm(c)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.embed(x))


class PatchMerging(nn.Module):
    """A norm, then two kernels of stride 2: (N, H, W, C) -> (N, ceil(H / 2), ceil(W / 2), 2C)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.embed = CrossScaleEmbed(dim, {2: dim, 4: dim}, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.embed(self.norm(x).permute(0, 3, 1, 2))  # (N, H, W, C) -> (N, C, H, W)


class GroupMix(nn.Module):
    """Mix the tokens and channels of every group by one learned matrix a head.

    (N, H, W, C) -> (N, H, W, C). Channels are reduced to ``heads * head_dims``; a head's
    G * G * head_dims numbers of a group, G tokens wide, are one vector, multiplied by the head's
    matrix. The result, back at C channels, gates a linear map of the input.

    Ours: where H and W are no multiples of G, zeros stand for the tokens that a group lacks. They
    do not enter the residual stream, where every layer norm would multiply their gradient by
    1 / sqrt(eps).

    Args:
        dim: Channels C.
        heads: Matrices.
        head_dims: Reduced channels of each head.
        spread: Whether a group samples the whole map, instead of being a window.
    """

    def __init__(self, dim: int, heads: int, head_dims: int, spread: bool) -> None:
        super().__init__()
        self.heads, self.head_dims, self.spread = heads, head_dims, spread
        size = GROUP**2 * head_dims
        self.gated = _trunc_normal_linear(dim, dim)
        self.reduce = _trunc_normal_linear(dim, heads * head_dims)
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(heads, size, size), std=0.02))
        self.bias = nn.Parameter(torch.zeros(heads, 1, size))
        # The gate begins close to 1.
        self.expand = nn.Linear(heads * head_dims, dim)
        bound = 1e-3 / GROUP**2
        nn.init.uniform_(self.expand.weight, -bound, bound)
        nn.init.ones_(self.expand.bias)
        self.project = _trunc_normal_linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(self.gated(x) * self.expand(self._mix_groups(self.reduce(x))))

    def _mix_groups(self, x: Tensor) -> Tensor:
        """Multiply (N, H, W, heads * head_dims) by the matrices, group by group."""
        h, w = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -w % GROUP, 0, -h % GROUP))
        n, rows, columns = x.shape[0], x.shape[1] // GROUP, x.shape[2] // GROUP
        heads = (self.heads, self.head_dims)
        if self.spread:
            order, x = _GLOBAL, x.view(n, GROUP, rows, GROUP, columns, *heads)
        else:
            order, x = _LOCAL, x.view(n, rows, GROUP, columns, GROUP, *heads)
        x = x.permute(order)
        grouped = x.shape
        x = torch.baddbmm(self.bias, x.reshape(self.heads, -1, self.weight.shape[-1]), self.weight)
        x = x.view(grouped).permute([order.index(i) for i in range(7)])
        return x.reshape(n, rows * GROUP, columns * GROUP, -1)[:, :h, :w]


class CSMixerBlock(nn.Module):
    """Group mixing and a channel MLP, both residual: (N, H, W, C) -> (N, H, W, C)."""

    def __init__(
        self, dim: int, heads: int, head_dims: int, spread: bool, drop_path: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.mix = GroupMix(dim, heads, head_dims, spread)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            _trunc_normal_linear(dim, dim * MLP_RATIO),
            nn.GELU(),
            _trunc_normal_linear(dim * MLP_RATIO, dim),
        )
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.mix(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CSMixerStage(nn.Module):
    """The merging that leads to a stage, its blocks, and a norm where its map is asked for.

    (N, H, W, C / 2) -> (N, ceil(H / 2), ceil(W / 2), C); the first stage merges nothing.
    """

    def __init__(
        self, dim: int, heads: int, head_dims: int, rates: Sequence[float], first: bool, norm: bool
    ) -> None:
        super().__init__()
        self.merging = nn.Identity() if first else PatchMerging(dim // 2)
        self.blocks = nn.ModuleList(
            CSMixerBlock(dim, heads, head_dims, spread=i % 2 == 1, drop_path=rate)
            for i, rate in enumerate(rates)
        )
        self.norm = nn.LayerNorm(dim) if norm else nn.Identity()

    def forward(self, x: Tensor, run: RunBlock) -> tuple[Tensor, Tensor]:
        """Return what the next stage takes, and the map, its norm."""
        x = self.merging(x)
        for block in self.blocks:
            x = run(block, x)
        return x, self.norm(x)


@MODELS.register_module()
class CSMixer(StagedBackbone):
    """The CS-Mixer backbone.

    (N, in_channels, H, W) -> up to four maps (N, C, ceil(H / s), ceil(W / s)) of the strides
    s = 4, 8, 16, 32, each behind a layer norm; any H, W.

    Source: the paper. Sizes of T, S and B are not confirmed by the paper, which gives those of L.
    Groups of a fixed 7 x 7 tokens, so that no weight depends on the size of the image, and the
    padding that they ask for are ours; so are the norms of the first three maps, freezing and
    checkpointing.

    Args:
        arch: ``'t'``, ``'s'``, ``'b'``, ``'l'`` or a dict like those in ``ARCHS``.
        in_channels: Channels of the image.
        out_indices: Stages whose outputs are returned, 0 to 3, negatives from the end.
        frozen_stages: -1 freezes nothing, 0 the stem, n the stem and the first n stages.
        drop_path_rate: Drop path of the last block; earlier ones get linearly less.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        init_cfg: mmengine's, for instance ``dict(type='Pretrained', checkpoint=...)``.

    Attributes:
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map, in pixels.

    Raises:
        UserError: The arch or an index is unknown, or ``embed_dims`` is not a multiple of 8; or, in
            ``forward``, the image has other channels.
    """

    archs = tuple(ARCHS)
    small = MappingProxyType(
        {'arch': dict(embed_dims=16, depths=(1, 2, 2, 1), heads=(1, 2, 2, 2), head_dims=1)}
    )

    def __init__(
        self,
        arch: str | Mapping = 't',
        in_channels: int = 3,
        out_indices: int | Sequence[int] = (-1,),
        frozen_stages: int = -1,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(4, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        sizes = read_arch(arch, ARCHS)
        if sizes['embed_dims'] % 8:
            raise UserError(
                f'arch embed_dims must be a multiple of 8, but got {sizes["embed_dims"]}'
            )
        dims = [sizes['embed_dims'] * 2**i for i in range(4)]
        self.out_channels = tuple(dims[i] for i in self.out_indices)
        self.out_strides = tuple((4, 8, 16, 32)[i] for i in self.out_indices)

        self.stem = PatchEmbed(in_channels, dims[0])
        depths = sizes['depths']
        rates = np.split(drop_rates(drop_path_rate, sum(depths)), np.cumsum(depths)[:-1])
        self.stages = nn.ModuleList(
            CSMixerStage(
                dim,
                heads,
                sizes['head_dims'],
                stage_rates.tolist(),
                first=i == 0,
                norm=i in self.out_indices,
            )
            for i, (dim, heads, stage_rates) in enumerate(zip(dims, sizes['heads'], rates))
        )
        self.freeze()

    def stages_from_stem(self) -> list[list[nn.Module]]:
        return [[self.stem], *([stage] for stage in self.stages)]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        self.check_channels(x)
        x = self.stem(x)
        outs: dict[int, Tensor] = {}
        for i, stage in enumerate(self.stages):
            x, out = stage(x, self.run)
            if i in self.out_indices:
                outs[i] = out.permute(0, 3, 1, 2).contiguous()  # (N, H, W, C) -> (N, C, H, W)
        return tuple(outs[i] for i in self.out_indices)
