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
        """Compute the losses on logits cropped to the labels (N, 1, H, W).

        As the host's, without what it spends on maps of the labels' size: it interpolates them to
        that size, and sorts the classes of each pixel for ``acc_seg``.
        """
        labels = self._stack_batch_gt(batch_data_samples)
        logits = self.at_size(seg_logits, labels.shape[2:])
        weight = self.sampler.sample(logits, labels) if self.sampler is not None else None
        labels = labels.squeeze(1)
        losses = self._sum_losses(
            lambda loss: loss(logits, labels, weight=weight, ignore_index=self.ignore_index)
        )
        losses['acc_seg'] = self._accuracy(logits.detach(), labels)
        return losses

    def _accuracy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the share of the pixels whose own class has the largest logit, %."""
        valid = labels != self.ignore_index
        if logits.shape[1] == 1:  # one sigmoid
            right = (logits[:, 0].sigmoid() > self.threshold) == (labels > 0)
        else:
            own = logits.gather(1, labels.where(valid, 0)[:, None])[:, 0]
            right = own >= logits.amax(1)
        return 100.0 * (right & valid).sum() / valid.sum().clamp(min=1)
