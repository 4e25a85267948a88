"""Write what a dense model predicts for the images of a test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.depth_files import depth_scale, write_depth, write_scale
from sacm_mm.core.files import fit_classes, output_names, write_image
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.models.task import largest_depth
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class SavePredictionsHook(Hook):
    """Write the classes of each pixel as PNGs, and depth as 16-bit PNGs with their scale.

    Nothing is needed of the truth. Folders below the set's own are kept, and images of one name
    get files of their own. Classes are 8 bit, 16 where there are more than 255; those of sets whose
    labels begin at 1 (``reduce_zero_label``) begin at 1. ``depth.json`` says what depth is
    multiplied by: 1000 where that fits, else less.

    The host's metrics write by base name only, ignore what could not be written, and wrap at 65 m.

    Args:
        out: Folder to write to: classes or depth, or a folder each where a model gives both.
    """

    def __init__(self, out: str) -> None:
        self.out = Path(out)
        self._names: dict[str, Path] = {}
        self._scaled: set[Path] = set()

    def before_test(self, runner: Runner) -> None:
        """Choose the names."""
        dataset: Any = runner.test_dataloader.dataset
        paths = [dataset.get_data_info(i).get('img_path') for i in range(len(dataset))]
        self._names = output_names([path for path in paths if path], '.png')

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Write a batch.

        Raises:
            UserError: A file cannot be written, or a depth fits no file.
        """
        for sample in outputs or ():
            name = self._names.get(sample.img_path) or Path(Path(sample.img_path).stem + '.png')
            both = 'pred_sem_seg' in sample and 'pred_depth_map' in sample
            if 'pred_sem_seg' in sample:
                self._write_classes(
                    sample, self.out / 'classes' / name if both else self.out / name
                )
            if 'pred_depth_map' in sample:
                self._write_depth(runner, sample, self.out / 'depth' if both else self.out, name)

    def _write_classes(self, sample: Any, path: Path) -> None:
        labels = sample.pred_sem_seg.data.squeeze(0).cpu().numpy()
        labels = labels + bool(sample.get('reduce_zero_label'))
        write_image(fit_classes(labels, f"classes for '{path}'"), path)

    def _write_depth(self, runner: Runner, sample: Any, folder: Path, name: Path) -> None:
        scale = depth_scale(largest_depth(unwrapped(runner.model)))
        if folder not in self._scaled:
            write_scale(folder, scale)
            self._scaled.add(folder)
        depth = sample.pred_depth_map.data.squeeze(0).float().cpu().numpy()
        # below the camera there is nothing: an unbounded head may say so, and 0 means no depth
        write_depth(np.where(depth < 0, 0, depth), folder / name, scale)
