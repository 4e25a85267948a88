"""Keep what a model predicts for a few test images, to show networks side by side later."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.files import write_image, write_json
from sacm_mm.registry import HOOKS

_WIDTH = 320  # pixels: enough for a strip of five


@HOOKS.register_module()
class KeepSamplesHook(Hook):
    """Write a few test images with truth and prediction to ``samples`` in the work dir.

    Classes become 8-bit PNGs, depth 16-bit ones in millimetres, all at most 320 pixels wide; a
    classifier's answers go into ``samples.json``, with the names of the classes.

    Args:
        num_images: Images, spread evenly over the test set, the same for every model.
    """

    def __init__(self, num_images: int = 5) -> None:
        self.num_images = num_images
        self._kept: list[dict[str, Any]] = []

    def before_test(self, runner: Runner) -> None:
        """Choose the images."""
        images = len(runner.test_dataloader.dataset)
        count = min(self.num_images, images)
        self._chosen = {int(i) for i in np.linspace(0, images, count + 2)[1:-1]}
        self._seen = 0
        self._kept.clear()
        self._folder = Path(runner.work_dir, 'samples')
        self._folder.mkdir(parents=True, exist_ok=True)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None
    ) -> None:
        """Keep the chosen ones of a batch."""
        for place, sample in enumerate(outputs or ()):
            if self._seen in self._chosen:
                self._keep(sample, data_batch, place)
            self._seen += 1

    def _keep(self, sample: Any, data_batch: Any, place: int) -> None:
        number = len(self._kept)
        row: dict[str, Any] = {'image': f'{number}.image.jpg'}
        if sample.get('img_path') is not None:
            image = mmcv.imread(sample.img_path)
            row['source'] = Path(sample.img_path).name
        else:  # the data set holds its images; this is what the network took
            image = data_batch['inputs'][place].permute(1, 2, 0).numpy().astype(np.uint8)
        self._write(row['image'], image)
        for kind in ('gt', 'pred'):
            if f'{kind}_sem_seg' in sample:
                labels = sample.get(f'{kind}_sem_seg').data.squeeze(0).cpu().numpy()
                row[kind] = self._write(f'{number}.{kind}.png', labels.astype(np.uint8))
            if f'{kind}_depth_map' in sample:
                metres = sample.get(f'{kind}_depth_map').data.squeeze(0).float().cpu().numpy()
                # for people to look at: beyond 65.5 m all is far
                depth = np.clip(np.nan_to_num(metres) * 1000, 0, 65535).astype(np.uint16)
                row[f'{kind}_depth'] = self._write(f'{number}.{kind}_depth.png', depth)
        if 'pred_score' in sample:
            row['gt'] = int(sample.gt_label.item())
            row['pred'] = int(sample.pred_label.item())
            row['score'] = round(float(sample.pred_score.max()), 3)
        self._kept.append(row)

    def _write(self, name: str, image: np.ndarray) -> str:
        height, width = image.shape[:2]
        if width > _WIDTH:
            way = cv2.INTER_AREA if name.endswith('.jpg') else cv2.INTER_NEAREST
            size = (_WIDTH, round(height * _WIDTH / width))
            image = cv2.resize(image, size, interpolation=way)
        write_image(image, self._folder / name)
        return name

    def after_test(self, runner: Runner) -> None:
        """Write the list of them, when they are complete."""
        if not is_main_process():
            return
        meta = runner.test_dataloader.dataset.metainfo
        about = {
            'classes': list(meta.get('classes') or ()),
            'palette': [list(map(int, colour)) for colour in meta.get('palette') or ()],
            'samples': self._kept,
        }
        write_json(about, self._folder / 'samples.json')
