"""Test-time augmentation by the data pipeline, for segmentation and depth."""

import torch
from mmengine.structures import PixelData
from mmseg.models import SegTTAModel

from sacm_mm.registry import MODELS

_DEPTH_KEYS = ('pred_depth_map', 'pred_depth_scale')


@MODELS.register_module()
class DenseTTAModel(SegTTAModel):
    """Average what a model predicts for several views of an image.

    Class probabilities are averaged as ``mmseg.SegTTAModel`` does, those of a head with one logit
    too, of which the host takes the sigmoid twice; ``pred_depth_map`` and ``pred_depth_scale``
    (1, H, W), in metres, are averaged.
    """

    def merge_preds(self, data_samples_list: list[list]) -> list:
        """Merge each image's views into one sample."""
        if 'seg_logits' in data_samples_list[0][0]:
            merged = super().merge_preds(data_samples_list)
            if self.module.out_channels == 1:
                for sample, views in zip(merged, data_samples_list):
                    # what a one-logit segmentor hands on as logits is the probability
                    mean = torch.stack([view.seg_logits.data for view in views]).mean(0)
                    labels = (mean > self.module.decode_head.threshold).to(mean)
                    sample.set_data({'pred_sem_seg': PixelData(data=labels)})
        else:
            merged = [views[0] for views in data_samples_list]
        for sample, views in zip(merged, data_samples_list):
            for key in _DEPTH_KEYS:
                if key in views[0]:
                    mean = torch.stack([view.get(key).data for view in views]).mean(0)
                    sample.set_data({key: PixelData(data=mean)})
            if 'gt_depth_map' in views[0]:
                sample.set_data({'gt_depth_map': views[0].gt_depth_map})
        return merged
