"""Depth loading with errors that name the file, and augmentations that keep depth true.

``gt_depth_map`` is (H, W) float32, metres, and 0 where there is no measurement. The hosts'
``RandomCrop``, ``RandomFlip`` and ``PhotoMetricDistortion`` keep it true as they are.
"""

import json
from pathlib import Path

import numpy as np
from mmcv.transforms import RandomResize as MMCVRandomResize
from mmseg.datasets.transforms import LoadDepthAnnotation as MMSegLoadDepthAnnotation
from mmseg.datasets.transforms import RandomRotate as MMSegRandomRotate
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.registry import TRANSFORMS

from .picture_files import unreadable
from .transforms import FIX_OF_TRUTH, check_size


@TRANSFORMS.register_module()
class LoadDepthAnnotation(MMSegLoadDepthAnnotation):
    """Load a depth map (H, W), float32 metres, from a 16-bit PNG; 0 is invalid.

    Images without a ``depth_map_path``, as in inference, pass.

    Args:
        depth_rescale_factor: Metres that a step of the PNG stands for.

    Raises:
        UserError: The map is unreadable, does not have one 16-bit channel or has another size than
            its image; the message names the file.
    """

    def __init__(self, depth_rescale_factor: float) -> None:
        super().__init__(depth_rescale_factor=depth_rescale_factor)

    def transform(self, results: dict) -> dict:
        if 'depth_map_path' not in results:
            return results
        path = results['depth_map_path']
        with unreadable(f"depth map '{path}'", FIX_OF_TRUTH):
            with Image.open(path) as depth_map:  # reads the header only
                mode = depth_map.mode
            if not mode.startswith('I'):
                raise UserError(
                    f"depth map '{path}' has pixel format {mode}: it must be one 16-bit channel, "
                    'for 8 bits are too few for depth'
                )
            results = super().transform(results)
        check_size('depth map', path, results['gt_depth_map'].shape, results)
        return results


@TRANSFORMS.register_module()
class LoadCityscapesDepth(LoadDepthAnnotation):
    """Load a disparity map and turn it into metres, or leave it in pixels.

    ``disparity = (png - 1) / 256`` where png > 0 and ``depth = baseline * fx / disparity``;
    infinite depth, which is disparity 0, is invalid. The target is the data set's.

    Source: README of cityscapesscripts.

    Raises:
        UserError: The map is unreadable, or its camera file is; the message names the file.
    """

    def __init__(self) -> None:
        super().__init__(depth_rescale_factor=1 / 256)

    def transform(self, results: dict) -> dict:
        if 'depth_map_path' not in results:
            return results
        results = super().transform(results)
        disparity = np.maximum(results['gt_depth_map'] - np.float32(1 / 256), 0)
        if results['depth_target'] == 'depth':
            numerator = _baseline_times_fx(results['camera_path'])
            depth = np.zeros_like(disparity)
            np.divide(numerator, disparity, out=depth, where=disparity > 0)
            results['gt_depth_map'] = depth
        else:
            results['gt_depth_map'] = disparity
        return results


def _baseline_times_fx(path: str) -> np.float32:
    fix = 'it must hold extrinsic.baseline (m) and intrinsic.fx (pixels)'
    with unreadable(f"camera file '{path}'", fix):
        camera = json.loads(Path(path).read_text(encoding='utf-8'))
        baseline, fx = camera['extrinsic']['baseline'], camera['intrinsic']['fx']
        if not (0 < baseline < np.inf and 0 < fx < np.inf):
            raise ValueError(f'baseline {baseline} and fx {fx} must be positive')
        return np.float32(baseline * fx)


@TRANSFORMS.register_module()
class RandomDepthResize(MMCVRandomResize):
    """Resize to ``scale`` times a random zoom z, and divide depth by z: what is nearer is larger.

    The zoom is what exceeds ``scale``: at z = 1 the picture is resized and depth stays. Disparity
    is multiplied by z.

    Args:
        scale: Width and height at z = 1, pixels.
        ratio_range: Least and greatest z.
        **kwargs: ``mmcv.Resize``'s, such as ``keep_ratio``.
    """

    def __init__(self, scale: tuple[int, int], ratio_range: tuple[float, float], **kwargs) -> None:
        super().__init__(scale, ratio_range, **kwargs)

    def transform(self, results: dict) -> dict:
        results = super().transform(results)
        zoom = np.float32(results['scale'][0] / self.scale[0])
        if results.get('depth_target') == 'disparity':
            results['gt_depth_map'] *= zoom
        else:
            results['gt_depth_map'] /= zoom
        return results


@TRANSFORMS.register_module()
class RandomDepthRotate(MMSegRandomRotate):
    """Rotate about the middle; depth is invalid where the picture was not.

    A rotation about the optical axis does not change depth. The host fills the border of depth maps
    with the label 255, which is 255 m.

    Args:
        prob: Probability of a rotation.
        degree: Greatest angle to either side, degrees.
        pad_val: Colour of the border, BGR.
    """

    def __init__(self, prob: float, degree: float, pad_val: tuple[float, float, float]) -> None:
        super().__init__(prob, degree, pad_val=pad_val)

    def transform(self, results: dict) -> dict:
        fields, picture = results['seg_fields'], np.zeros(results['img'].shape[:2], np.uint8)
        results = super().transform(
            {**results, 'seg_fields': [*fields, 'border'], 'border': picture}
        )
        results['seg_fields'] = fields
        results['gt_depth_map'][results.pop('border') == self.seg_pad_val] = 0
        return results
