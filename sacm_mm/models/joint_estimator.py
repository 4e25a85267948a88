"""One network, two tasks: segmentation and depth in one forward pass."""

import torch
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.registry import MODELS as MMSEG_MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import add_prefix
from torch import Tensor

from sacm_mm.models.depth_estimator import DepthEstimator
from sacm_mm.registry import MODELS


@MODELS.register_module()
class SegDepthEstimator(DepthEstimator):
    """A backbone with a segmentation head and a depth head.

    Images (N, 3, H, W) -> ``pred_sem_seg`` and ``seg_logits`` as from ``mmseg.EncoderDecoder``, and
    ``pred_depth_map`` (1, H, W) in metres as from ``DepthEstimator``, at the original size. The
    modes of ``test_cfg`` are ``DepthEstimator``'s. The losses are added up: their weights balance
    the tasks.

    Args:
        backbone: The backbone.
        decode_head: The segmentation head.
        depth_head: The depth head.
        **kwargs: ``mmseg.EncoderDecoder``'s: ``neck``, ``auxiliary_head`` (of either task), ...
    """

    def __init__(self, backbone: dict, decode_head: dict, depth_head: dict, **kwargs) -> None:
        super().__init__(backbone, decode_head, **kwargs)
        self.depth_head = MMSEG_MODELS.build(depth_head)
        self.out_channels += self.depth_head.out_channels

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict from images (N, 3, H, W) -> (N, classes + depth channels, H, W)."""
        x = self.extract_feat(inputs, batch_img_metas)
        heads = (self.decode_head, self.depth_head)
        maps = [head.predict(x, batch_img_metas, self.test_cfg) for head in heads]
        return torch.cat(maps, dim=1)

    def _decode_head_forward_train(self, inputs: list[Tensor], data_samples: list) -> dict:
        losses = super()._decode_head_forward_train(inputs, data_samples)
        depth = self.depth_head.loss(inputs, data_samples, self.train_cfg)
        return {**losses, **add_prefix(depth, 'depth')}

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> tuple[Tensor, Tensor]:
        x = self.extract_feat(inputs)
        return self.decode_head(x), self.depth_head(x)

    def postprocess_result(self, depth: Tensor, data_samples: list | None = None) -> list:
        """Bring maps (N, classes + depth channels, H, W) to the original sizes, as samples."""
        if data_samples is None:
            meta = dict(ori_shape=depth.shape[2:])
            data_samples = [SegDataSample(metainfo=meta) for _ in depth]
        logits, depth = depth.tensor_split([self.decode_head.out_channels], dim=1)
        # past the host's depth estimator, whose postprocessing is the other task's
        BaseSegmentor.postprocess_result(self, logits, data_samples)
        return super().postprocess_result(depth, data_samples)
