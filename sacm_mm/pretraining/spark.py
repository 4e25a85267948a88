"""SparK where a cell of the mask is some patches wide."""

from __future__ import annotations

from typing import Any

import torch
from mmpretrain.models.selfsup.spark import SparK as MMPretrainSparK
from mmpretrain.models.utils.sparse_modules import SparseHelper
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.registry import MODELS


@MODELS.register_module()
class SparK(MMPretrainSparK):
    """The host's SparK for a backbone of one map, whose tokens are finer than the mask's cells.

    The host takes its coarsest map to have a token a cell. Here a cell holds
    ``(cell_size / patch)**2`` tokens: a patch of 5 px would be too small a thing to guess.

    Source: Tian et al., "Designing BERT for Convolutional Networks", ICLR 2023.

    Args:
        backbone: A ``SparseSAConvMixer``.
        neck: A ``PixelShuffleDecoder``.
        head: The host's ``SparKPretrainHead``; its ``patch_size`` is set to ``cell_size``.
        input_size: Height and width of the pictures in pixels.
        cell_size: Height and width of a cell of the mask in pixels.
        mask_ratio: Share of the cells that are masked.
        **kwargs: The host's.

    Raises:
        UserError: Patches, cells and pictures are not multiples of each other, in that order.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        head: dict,
        input_size: int = 320,
        cell_size: int = 40,
        mask_ratio: float = 0.6,
        **kwargs: Any,
    ) -> None:
        network = MODELS.build(backbone)
        patch = network.patch_size
        if input_size % cell_size or cell_size % patch or cell_size == 0:
            raise UserError(
                f'cell_size must be a multiple of the patch ({patch}) and divide input_size '
                f'({input_size}), but is {cell_size}'
            )
        super().__init__(
            network,
            neck,
            {**head, 'patch_size': cell_size},
            input_size=input_size,
            downsample_raito=cell_size,
            mask_ratio=mask_ratio,
            enc_dec_norm_cfg=dict(type='SparseBatchNorm2d'),
            enc_dec_norm_dim=network.embed_dims,
            **kwargs,
        )

    def loss(self, inputs: Tensor, data_samples: list, **kwargs: Any) -> dict[str, Tensor]:
        """Reconstruct the masked cells of pictures (N, 3, H, W) -> ``loss``."""
        visible = self.mask(inputs.shape, inputs.device)  # (N, 1, cells, cells)
        return {'loss': self.head(self.reconstruct(inputs, visible), inputs, visible)}

    def reconstruct(self, inputs: Tensor, visible: Tensor) -> Tensor:
        """Guess pictures (N, 3, H, W) from their visible cells (N, 1, cells, cells).

        Returns:
            (N, 3, H, W), each cell of mean 0 and variance 1 where the head asks for that.
        """
        SparseHelper._cur_active = visible
        x = self.backbone(inputs * _larger(visible, self.downsample_raito))[-1]
        x = self.enc_dec_norms[0](x)
        tokens = _larger(visible, x.shape[-1] // visible.shape[-1])
        x = torch.where(tokens, x, self.mask_tokens[0].to(x.dtype))
        return self.neck([self.enc_dec_projectors[0](x)])


def _larger(mask: Tensor, times: int) -> Tensor:
    return mask.repeat_interleave(times, 2).repeat_interleave(times, 3)
