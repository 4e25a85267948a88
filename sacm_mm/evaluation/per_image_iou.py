"""The mIoU of the SA-ConvMixer authors, which is not the field's."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.evaluation import IoUMetric

from sacm_mm.registry import METRICS


@METRICS.register_module()
class PerImageIoUMetric(IoUMetric):
    """Mean over images of each image's mIoU, at the size that the network saw.

    The field's mIoU (``mmseg.IoUMetric``) adds up intersections and unions over the whole set, at
    the original size. This one is only for comparison with the paper's figures: an image's mIoU is
    the mean over the classes that occur in its truth or its prediction, and the result, in per
    cent, is the mean over images.

    Source: the authors' evaluation. They resize the image to the network's size before anything
    else; here the logits and the mask come at the original size and are resized to it.
    """

    default_prefix = 'authors'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count intersections and unions of each image at the network's size."""
        super().process(data_batch, [self._resized(sample) for sample in data_samples])

    @staticmethod
    def _resized(sample: dict) -> dict:
        size = tuple(sample['img_shape'][:2])
        logits = sample['seg_logits']['data'].float()
        if logits.shape[0] > 1:
            logits = F.interpolate(logits[None], size, mode='bilinear', align_corners=False)
            pred = logits.argmax(1)
        else:  # one logit, thresholded by the head already
            pred = F.interpolate(sample['pred_sem_seg']['data'][None].float(), size)[0].long()
        truth = F.interpolate(sample['gt_sem_seg']['data'][None].float(), size)[0].long()
        return {
            **sample,
            'pred_sem_seg': {'data': pred},
            'gt_sem_seg': {'data': truth},
        }

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average (intersection, union, prediction, truth) areas a class, one tuple an image."""
        per_image = [
            (intersection / union)[union > 0].mean()
            for intersection, union, *_ in results
            if (union > 0).any()
        ]
        if not per_image:
            return {'mIoU_per_image': float('nan')}
        return {'mIoU_per_image': float(np.round(100 * torch.stack(per_image).mean().item(), 2))}
