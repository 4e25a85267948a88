"""Collect test pictures for one sheet that shows what a model has learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.engine.shown_pictures import picture_of_sample
from sacm_mm.registry import HOOKS
from sacm_mm.visualization.depth import DepthPicture, DepthStyle, save_grid
from sacm_mm.visualization.depth_visualizer import picture_of


@HOOKS.register_module()
class PictureGridHook(Hook):
    """Write a picture grid (image | truth | prediction) at the end of a test.

    For depth there is the error beside them, drawn as the visualizer draws depth.

    Args:
        out: PNG to write; it appears when it is complete.
        num_images: Rows, spread evenly over the test set.
    """

    def __init__(self, out: str, num_images: int = 6) -> None:
        self.out = Path(out)
        self.num_images = num_images
        self._rows: list[DepthPicture] = []

    def before_test(self, runner: Runner) -> None:
        """Choose the batches to show."""
        batches = len(runner.test_dataloader)
        rows = min(self.num_images, batches)
        self._chosen = set(np.linspace(0, batches, rows + 2)[1:-1].astype(int))
        self._rows.clear()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None
    ) -> None:
        """Keep the first sample of a chosen batch."""
        if batch_idx not in self._chosen or not outputs:
            return
        image = picture_of_sample(runner, outputs[0], data_batch, 0)
        self._rows.append(picture_of(image, outputs[0]))

    def after_test(self, runner: Runner) -> None:
        """Draw the sheet."""
        if not is_main_process():
            return
        meta = runner.test_dataloader.dataset.metainfo
        classes, palette = meta['classes'], meta['palette']
        style = getattr(runner.visualizer, 'style', DepthStyle())
        save_grid(self._rows, style, self.out, classes, palette)
        runner.logger.info(f'Picture grid (image | truth | prediction): {self.out}')
