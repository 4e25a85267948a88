"""The segmentation head of SA-ConvMixer."""

from torch import Tensor

from sacm_mm.models.heads.pixel_shuffle_base import PixelShuffleBase
from sacm_mm.registry import MODELS


@MODELS.register_module()
class PixelShuffleHead(PixelShuffleBase):
    """Classify r x r pixels from every token.

    Maps (N, C_i, h, w) -> logits (N, out_channels, h * r, w * r); see ``PixelShuffleBase``.
    """

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        """Compute the losses on logits cropped to the labels (N, 1, H, W)."""
        size = batch_data_samples[0].gt_sem_seg.shape[-2:]
        return super().loss_by_feat(self._crop(seg_logits, size), batch_data_samples)
