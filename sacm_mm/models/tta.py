"""Test-time augmentation by the data pipeline."""

from typing import Any

import torch
from mmengine.structures import PixelData
from mmpretrain.models import AverageClsScoreTTA
from mmseg.models import SegTTAModel

from sacm_mm.models.task import task_of
from sacm_mm.registry import MODELS

_DEPTH_KEYS = ('pred_depth_map', 'pred_depth_scale')


@MODELS.register_module()
class DenseTTAModel(SegTTAModel):
    """Average what a model predicts for several views of an image.

    Class probabilities are averaged as ``mmseg.SegTTAModel`` does, those of a head with one logit
    too, of which the host takes the sigmoid twice; ``pred_depth_map`` and ``pred_depth_scale``
    (1, H, W), in metres, are averaged. ``seg_logits`` are those of the mean, where the host leaves
    the last view's.
    """

    def merge_preds(self, data_samples_list: list[list]) -> list:
        """Merge each image's views into its first one."""
        return [self._merged(views) for views in data_samples_list]

    def _merged(self, views: list) -> Any:
        merged = views[0]
        for key in _DEPTH_KEYS:
            if key in merged:
                depth = sum(view.get(key).data for view in views) / len(views)
                merged.set_data({key: PixelData(data=depth)})
        if 'seg_logits' not in merged:
            return merged
        maps = (view.seg_logits.data for view in views)
        if len(merged.seg_logits.data) == 1:
            # what a one-logit segmentor hands on as logits is the probability
            logits = sum(maps) / len(views)
            labels = (logits > self.module.decode_head.threshold).to(logits)
        else:
            mean = sum(logits.softmax(dim=0) for logits in maps) / len(views)
            labels = mean.argmax(dim=0, keepdim=True)
            logits = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
        merged.set_data(
            {'pred_sem_seg': PixelData(data=labels), 'seg_logits': PixelData(data=logits)}
        )
        return merged


@MODELS.register_module()
class ClsTTAModel(AverageClsScoreTTA):
    """The host's mean of the scores; the label is the mean's too, where it leaves the first view's.

    The figures are of the scores, but pictures and files have the label: of a multilabel head
    several, of one for regression the scores themselves.
    """

    def _merge_single_sample(self, data_samples: list) -> Any:
        merged = super()._merge_single_sample(data_samples)
        scores, task = merged.pred_score, task_of(self.module)
        if task == 'regression':
            return merged.set_pred_label(scores)
        if task == 'classification':
            return merged.set_pred_label(scores.argmax(dim=0))
        head = self.module.head
        if head.thr is None:
            return merged.set_pred_label(scores.topk(head.topk)[1])
        return merged.set_pred_label(torch.where(scores >= head.thr)[0])
