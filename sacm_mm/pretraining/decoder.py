"""The decoder of a masked-image start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from sacm_mm.models.backbones.sa_convmixer import MixerBlock
from sacm_mm.models.defaults import BATCH_NORM, GELU
from sacm_mm.registry import MODELS


@MODELS.register_module()
class PixelShuffleDecoder(BaseModule):
    """A few mixer blocks, and a pixel shuffle back to pixels.

    One map (N, feature_dim, h, w) -> (N, out_channels, h * r, w * r). SparK's own light decoder
    doubles the size step by step, and cannot reach ratios such as 5.

    Source: ours; section 3.3 of the paper, and SparK's idea of a light decoder.

    Args:
        feature_dim: Channels of the map.
        upscale_factor: Factor r, the backbone's patch size.
        dilations: Of the blocks' depthwise kernels; they have to reach across masked cells.
        kernel_size: Of the blocks.
        out_channels: Channels of the picture.
        norm_cfg: Norm layers.
        act_cfg: Activations.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        feature_dim: int,
        upscale_factor: int,
        dilations: Sequence[int] = (1, 2, 4, 8),
        kernel_size: int = 5,
        out_channels: int = 3,
        norm_cfg: Mapping = BATCH_NORM,
        act_cfg: Mapping = GELU,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.feature_dim = feature_dim
        self.upscale_factor = upscale_factor
        self.blocks = nn.Sequential(
            *(
                MixerBlock(feature_dim, kernel_size, 0.0, dict(norm_cfg), dict(act_cfg), dilation)
                for dilation in dilations
            )
        )
        self.project = nn.Conv2d(feature_dim, out_channels * upscale_factor**2, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Decode [(N, feature_dim, h, w)] -> (N, out_channels, h * r, w * r)."""
        (x,) = maps
        return F.pixel_shuffle(self.project(self.blocks(x)), self.upscale_factor)
