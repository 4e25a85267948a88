"""Keep what a model predicts for a few test images, to show networks side by side later."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.files import fit_classes, write_image, write_json
from sacm_mm.engine.shown_pictures import picture_of_sample
from sacm_mm.registry import HOOKS
from sacm_mm.visualization.depth import DepthStyle

_WIDTH = 200  # pixels: as wide as a report shows them
_DEPTH_SCALE = 100  # a metre in the files
_QUALITY = 80  # of photographs


@HOOKS.register_module()
class KeepSamplesHook(Hook):
    """Write a few test images with truth and prediction to ``samples`` in the work dir.

    There is one file a kind, in which the images stand below each other, at most 200 pixels wide:
    photographs as WebP, classes as PNG, depth as 16-bit PNG in centimetres. ``samples.json``
    has their sizes, the names of the classes, how depth is drawn and a classifier's answers.

    Args:
        num_images: Images, spread evenly over what the first process tests, the same for every
            model.
    """

    def __init__(self, num_images: int = 5) -> None:
        self.num_images = num_images
        self._kept: list[dict[str, Any]] = []
        self._pictures: dict[str, list[np.ndarray]] = {}

    def before_test(self, runner: Runner) -> None:
        """Choose the images."""
        images = len(runner.test_dataloader.sampler)  # of this process
        count = min(self.num_images, images)
        self._chosen = {int(i) for i in np.linspace(0, images, count + 2)[1:-1]}
        self._seen = 0
        self._kept.clear()
        self._pictures.clear()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence | None = None
    ) -> None:
        """Keep the chosen ones of a batch."""
        for place, sample in enumerate(outputs or ()):
            if self._seen in self._chosen:
                self._keep(runner, sample, data_batch, place)
            self._seen += 1

    def _keep(self, runner: Runner, sample: Any, data_batch: Any, place: int) -> None:
        about: dict[str, Any] = {}
        if sample.get('img_path') is not None:
            about['source'] = Path(sample.img_path).name
        image = picture_of_sample(runner, sample, data_batch, place)
        image = np.ascontiguousarray(image[..., ::-1])  # as it is written
        height, width = image.shape[:2]
        scale = min(1, _WIDTH / width)
        size = about['size'] = [round(height * scale), round(width * scale)]
        self._add('image', image, size, cv2.INTER_AREA)
        for kind in ('gt', 'pred'):
            if f'{kind}_sem_seg' in sample:
                labels = sample.get(f'{kind}_sem_seg').data.squeeze(0).cpu().numpy()
                self._add(kind, fit_classes(labels), size)
            if f'{kind}_depth_map' in sample:
                metres = sample.get(f'{kind}_depth_map').data.squeeze(0).float().cpu().numpy()
                # for people to look at: beyond 655 m all is far
                depth = np.rint(np.nan_to_num(metres) * _DEPTH_SCALE).clip(0, 65535)
                self._add(f'{kind}_depth', depth.astype(np.uint16), size)
        if 'pred_score' in sample:
            about['gt'] = _labels(sample.gt_label)
            about['pred'] = _labels(sample.pred_label)
            about['score'] = round(float(sample.pred_score.max()), 3)
        self._kept.append(about)

    def _add(
        self, kind: str, image: np.ndarray, size: Sequence[int], way: int = cv2.INTER_NEAREST
    ) -> None:
        if list(image.shape[:2]) != list(size):
            image = cv2.resize(image, (size[1], size[0]), interpolation=way)
        self._pictures.setdefault(kind, []).append(image)

    def after_test(self, runner: Runner) -> None:
        """Write the files, and the list of them when they are complete."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir, 'samples')
        files = {}
        for kind, images in self._pictures.items():
            files[kind] = f'{kind}.webp' if kind == 'image' else f'{kind}.png'
            write_image(stack_images(images), folder / files[kind], quality=_QUALITY)
        meta = runner.test_dataloader.dataset.metainfo
        about = {
            'classes': list(meta.get('classes') or ()),
            'palette': [list(map(int, colour)) for colour in meta.get('palette') or ()],
            'depth_scale': _DEPTH_SCALE,
            'depth_style': getattr(runner.visualizer, 'style', DepthStyle())._asdict(),
            'files': files,
            'samples': self._kept,
        }
        write_json(about, folder / 'samples.json')


def _labels(tensor: torch.Tensor) -> int | list[int]:
    """Return the class of a picture, or all where they are not one."""
    labels = tensor.flatten().tolist()
    return labels[0] if len(labels) == 1 else labels


def stack_images(images: Sequence[np.ndarray]) -> np.ndarray:
    """Put images below each other; narrower ones are filled up with zeros on the right."""
    width = max(image.shape[1] for image in images)
    return np.concatenate(
        [
            np.pad(image, [(0, 0), (0, width - image.shape[1]), *[(0, 0)] * (image.ndim - 2)])
            for image in images
        ]
    )
