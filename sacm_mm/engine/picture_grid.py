"""Collect test pictures for one sheet that shows what a model has learned."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class PictureGridHook(Hook):
    """Write a picture grid (image | truth | prediction) at the end of a segmentation test.

    Args:
        out: PNG to write; it appears when it is complete.
        num_images: Rows, spread evenly over the test set.
    """

    def __init__(self, out: str, num_images: int = 6) -> None:
        self.out = Path(out)
        self.num_images = num_images
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def before_test(self, runner: Runner) -> None:
        """Choose the batches to show."""
        batches = len(runner.test_dataloader)
        self._chosen = set(np.linspace(0, batches - 1, min(self.num_images, batches)).astype(int))
        self._rows.clear()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None
    ) -> None:
        """Keep the first sample of a chosen batch."""
        if batch_idx not in self._chosen or not outputs:
            return
        sample = outputs[0]
        image = mmcv.imread(sample.img_path, channel_order='rgb')
        truth = sample.gt_sem_seg.data.squeeze(0).cpu().numpy()
        pred = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
        self._rows.append((image, truth, pred))

    def after_test(self, runner: Runner) -> None:
        """Draw the sheet."""
        from sacm_mm.visualization.segmentation_grid import save_segmentation_grid

        if not is_main_process():
            return
        meta = runner.test_dataloader.dataset.metainfo
        save_segmentation_grid(self._rows, meta['classes'], meta['palette'], self.out)
        runner.logger.info(f'Picture grid (image | truth | prediction): {self.out}')
