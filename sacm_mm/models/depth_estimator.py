"""Depth estimation with any backbone and depth head, on mmsegmentation's estimator."""

from mmengine.structures import PixelData
from mmseg.models.segmentors import DepthEstimator as MMSegDepthEstimator
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.registry import MODELS

_MODES = ('whole', 'slide', 'whole_flip', 'slide_flip')


@MODELS.register_module()
class DepthEstimator(MMSegDepthEstimator):
    """The host's depth estimator, with what does not work there mended.

    Images (N, 3, H, W) -> ``pred_depth_map`` (1, H, W) in metres at the original size, and
    ``pred_depth_scale`` (1, H, W) in metres from a head that predicts its uncertainty.

    ``test_cfg.mode`` is ``'whole'`` or ``'slide'`` (with ``crop_size`` and ``stride``), where
    windows that overlap are averaged; ``'whole_flip'`` and ``'slide_flip'`` average with the
    mirrored image too. ``'whole_flip'`` is ours, and slide really slides: the host computes it and
    then overwrites it with the whole image. What batching pads is invalid: the host fills depth
    with the label 255, as metres.

    Raises:
        UserError: The mode is unknown, or the training samples have no depth.
    """

    def loss(self, inputs: Tensor, data_samples: list) -> dict:
        """Compute the losses of images (N, 3, H, W) and samples with ``gt_depth_map``."""
        for sample in data_samples:
            if 'gt_depth_map' not in sample:
                raise UserError(
                    "the samples have no 'gt_depth_map': load the depth in the train_pipeline"
                )
            _, right, _, bottom = sample.metainfo.get('padding_size', (0, 0, 0, 0))
            depth = sample.gt_depth_map.data
            depth[:, depth.shape[1] - bottom :] = 0
            depth[:, :, depth.shape[2] - right :] = 0
        return super().loss(inputs, data_samples)

    def inference(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Predict from images (N, 3, H, W) -> (N, out_channels, H, W), by ``test_cfg.mode``."""
        mode = self.test_cfg.get('mode', 'whole')
        if mode not in _MODES:
            raise UserError(f"unknown test_cfg.mode '{mode}': choose from {', '.join(_MODES)}")
        view = self.slide_inference if mode.startswith('slide') else self.whole_inference
        maps = view(inputs, batch_img_metas)
        if mode.endswith('flip'):
            maps = (maps + view(inputs.flip(3), batch_img_metas).flip(3)) / 2
        return maps

    def postprocess_result(self, depth: Tensor, data_samples: list | None = None) -> list:
        """Bring maps (N, 1 or 2, H, W) to the original sizes, as samples."""
        data_samples = super().postprocess_result(depth, data_samples)
        for sample in data_samples:
            maps = sample.pred_depth_map.data
            sample.pred_depth_map = PixelData(data=maps[:1])
            if len(maps) > 1:
                sample.pred_depth_scale = PixelData(data=maps[1:])
        return data_samples
