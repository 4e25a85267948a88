"""A feature pyramid from an isotropic backbone, by pixel shuffle alone."""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.defaults import BATCH_NORM, GELU
from sacm_mm.registry import MODELS


class PixelShuffleResample(nn.Module):
    """Move a map from one stride to another without interpolation.

    (N, C, h, w) -> (N, out_channels, ceil(h * in / out), ceil(w * in / out)) for the strides in,
    out. With g = gcd(in, out), channels become space by ``pixel_shuffle(in / g)`` and space becomes
    channels by ``pixel_unshuffle(out / g)``, so that any two integer strides can be joined; a 1x1
    convolution before makes the channels that the shuffles need, one after joins what they
    gathered.
    """

    def __init__(
        self,
        in_channels: int,
        in_stride: int,
        out_channels: int,
        out_stride: int,
        norm_cfg: dict,
        act_cfg: dict,
    ) -> None:
        super().__init__()
        common = math.gcd(in_stride, out_stride)
        self.up, self.down = in_stride // common, out_stride // common
        # A cell of the coarser grid gathers down * down positions: enough channels at each to fill
        # it.
        mid_channels = math.ceil(out_channels / self.down**2)
        self.expand = nn.Conv2d(in_channels, mid_channels * self.up**2, 1)
        self.project = (
            nn.Conv2d(mid_channels * self.down**2, out_channels, 1)
            if self.down > 1
            else nn.Identity()
        )
        self.norm = build_norm_layer(norm_cfg, out_channels)[1]
        self.act = build_activation_layer(act_cfg)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_shuffle(self.expand(x), self.up)
        h, w = x.shape[2:]
        # a traced graph serves every size, also those that this one does not pad
        if torch.compiler.is_exporting() or h % self.down or w % self.down:
            x = F.pad(x, (0, -w % self.down, 0, -h % self.down), mode='replicate')
        x = F.pixel_unshuffle(x, self.down)
        return self.act(self.norm(self.project(x)))


@MODELS.register_module()
class PixelShufflePyramid(BaseModule):
    """Serve pyramid heads (UPerHead, FPNHead, SegformerHead, ASPPHead) from an isotropic map.

    One map (N, C, H / r, W / r), one a level, or some that ``in_index`` assigns -> for each level i
    (N, out_channels[i], ~H / out_strides[i], ~W / out_strides[i]): finer levels by pixel shuffle,
    coarser ones by pixel unshuffle. Where the image is not a multiple of both strides, the last row
    and column of a level cover the padding.

    Source: ours; it carries the paper's idea (section 3.3) over to pyramid heads.

    Args:
        in_channels: Channels of the single map, or of each map.
        in_stride: Stride r of the input maps, the backbone's patch size, or of each map.
        out_channels: Channels of each level; None for one that nothing reads, which stays as it is.
        out_strides: Stride of each level, in pixels; any positive integers.
        in_index: Which input map feeds each level; by default the only one, or each its own.
        norm_cfg: Norm layers.
        act_cfg: Activations.
        init_cfg: mmengine's.

    Raises:
        UserError: The lists differ in length, or ``forward`` gets another number of maps.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        in_stride: int | Sequence[int],
        out_channels: Sequence[int | None],
        out_strides: Sequence[int] = (4, 8, 16, 32),
        in_index: Sequence[int] | None = None,
        norm_cfg: Mapping = BATCH_NORM,
        act_cfg: Mapping = GELU,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        levels = len(out_strides)
        if len(out_channels) != levels:
            raise UserError(
                f'out_channels and out_strides must have one entry a level, '
                f'but got {len(out_channels)} and {levels}'
            )
        sources = tuple(in_channels) if isinstance(in_channels, Sequence) else (in_channels,)
        if in_index is None:
            in_index = range(levels) if isinstance(in_channels, Sequence) else [0] * levels
            if max(in_index) != len(sources) - 1:
                raise UserError(
                    f'in_channels must be one number or one a level ({levels}), '
                    f'but got {len(sources)}'
                )
        strides = tuple(in_stride) if isinstance(in_stride, Sequence) else (in_stride,)
        strides = strides * len(sources) if len(strides) == 1 else strides
        if len(in_index) != levels or len(strides) != len(sources):
            raise UserError(
                f'in_index must have one entry a level ({levels}) and in_stride one an input map '
                f'({len(sources)}), but got {len(in_index)} and {len(strides)}'
            )
        self.num_inputs = len(sources)
        self.in_index = tuple(in_index)
        self.out_channels = tuple(c or sources[i] for c, i in zip(out_channels, self.in_index))
        self.out_strides = tuple(
            stride if c else strides[i]
            for c, stride, i in zip(out_channels, out_strides, self.in_index)
        )
        self.levels = nn.ModuleList(
            PixelShuffleResample(
                sources[i], strides[i], channels, stride, dict(norm_cfg), dict(act_cfg)
            )
            if channels
            else nn.Identity()
            for channels, stride, i in zip(out_channels, out_strides, self.in_index)
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if len(inputs) != self.num_inputs:
            raise UserError(
                f'the pyramid takes {self.num_inputs} map(s), but got {len(inputs)}: '
                f'set out_indices of the backbone or in_channels of the neck to match'
            )
        return tuple(level(inputs[i]) for level, i in zip(self.levels, self.in_index))
