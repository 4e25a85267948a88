"""The visualizer that the hosts' hooks, tools and inferencers draw depth with."""

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from sacm_mm.core.files import write_image
from sacm_mm.registry import VISUALIZERS

from .depth import DepthPicture, DepthStyle, draw_picture


@VISUALIZERS.register_module()
class DepthLocalVisualizer(SegLocalVisualizer):
    """Draw metric depth in a fixed range, with a colour bar, its error and its gaps.

    Pictures with classes too, those of a joint model, have them beside the depth; those without
    depth are drawn as the host does. The host draws depth as a feature map, in the range of each
    picture.

    Args:
        name: Name of the instance, which the hosts look it up by.
        max_depth: End of the colour bar.
        cmap: Name of a matplotlib colormap.
        label: What the colour bar shows.
        **kwargs: ``mmseg.SegLocalVisualizer``'s.

    Raises:
        UserError: There is no such colormap, or the range is empty.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        max_depth: float = DepthStyle().max_depth,
        cmap: str = DepthStyle().cmap,
        label: str = DepthStyle().label,
        **kwargs,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.style = DepthStyle(max_depth, cmap, label).checked()

    @master_only
    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        **kwargs,
    ) -> None:
        """Draw an RGB image (H, W, 3) with its sample; the arguments are the host's."""
        picture = picture_of(image, data_sample, draw_gt, draw_pred)
        if picture.truth is None and picture.prediction is None:
            super().add_datasample(
                name, image, data_sample, draw_gt, draw_pred, show, wait_time, out_file, step,
                **kwargs,
            )  # fmt: skip
            return
        meta = self.dataset_meta
        drawn = draw_picture(picture, self.style, meta['classes'], meta['palette'])
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is not None:
            write_image(mmcv.rgb2bgr(drawn), out_file)
        else:
            self.add_image(name, drawn, step)


def picture_of(
    image: np.ndarray,
    sample: SegDataSample | None,
    draw_gt: bool = True,
    draw_pred: bool = True,
) -> DepthPicture:
    """Gather what a sample knows of an RGB image (H, W, 3)."""
    known = {
        'prediction': draw_pred and 'pred_depth_map',
        'truth': draw_gt and 'gt_depth_map',
        'labels': draw_pred and 'pred_sem_seg',
        'true_labels': draw_gt and 'gt_sem_seg',
    }
    maps = {
        name: sample.get(key).data.squeeze(0).cpu().numpy()
        for name, key in known.items()
        if sample is not None and key and key in sample
    }
    for name in ('labels', 'true_labels'):
        if name in maps:  # the host's classes of one logit are floats
            maps[name] = maps[name].astype(np.int64)
    return DepthPicture(image, **maps)
