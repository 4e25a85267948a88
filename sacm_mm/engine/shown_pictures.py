"""The pictures of a test, as people see them, and the hosts' hooks that paint them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner
from mmpretrain.engine.hooks import VisualizationHook as MMPretrainVisualizationHook
from mmseg.engine.hooks import SegVisualizationHook as MMSegVisualizationHook

from sacm_mm.core.configs import loads_rgb
from sacm_mm.datasets.picture_files import as_rgb, read_picture
from sacm_mm.registry import HOOKS


def picture_of_sample(runner: Runner, sample: Any, data_batch: Any, place: int) -> np.ndarray:
    """Return the picture of a sample to look at -> (H, W, 3), RGB uint8.

    That is its file, of any channels and bits; or what the network took, where the data set holds
    its pictures itself.

    Args:
        runner: Of the test.
        sample: The sample.
        data_batch: Its batch.
        place: Of the sample in the batch.
    """
    path = sample.get('img_path')
    if path is not None:
        return as_rgb(read_picture(Path(path)))
    return picture_of_input(runner, _pictures(data_batch)[place])


def _pictures(data_batch: Any) -> Any:
    """Return the pictures of a batch, each (C, H, W); of several views of each the first."""
    inputs = data_batch['inputs']
    plain = isinstance(inputs[0], torch.Tensor) and inputs[0].ndim == 3
    return inputs if plain else inputs[0]  # else a batch for each view


def picture_of_input(runner: Runner, image: torch.Tensor) -> np.ndarray:
    """Turn what a network took, (C, H, W), into a picture to look at -> (H, W, 3), RGB uint8."""
    shown = as_rgb(image.permute(1, 2, 0).cpu().numpy())
    if not loads_rgb(runner.cfg):
        shown = shown[..., ::-1]
    return np.ascontiguousarray(shown)


@HOOKS.register_module()
class SegVisualizationHook(MMSegVisualizationHook):
    """The host's hook, for pictures of any channels and bits: the host's decodes 8 bits of colour.

    Its arguments are the host's.
    """

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence
    ) -> None:
        """Draw the first picture of some batches."""
        step = runner.iter + batch_idx
        if self.draw and step % self.interval == 0:
            self._add(runner, f'val_{Path(outputs[0].img_path).name}', outputs[0], step)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence
    ) -> None:
        """Draw a batch."""
        for sample in outputs if self.draw else ():
            self._test_index += 1
            self._add(runner, f'test_{Path(sample.img_path).name}', sample, self._test_index)

    def _add(self, runner: Runner, name: str, sample: Any, step: int) -> None:
        self._visualizer.add_datasample(
            name,
            picture_of_sample(runner, sample, None, 0),
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            step=step,
        )


@HOOKS.register_module()
class ClsVisualizationHook(MMPretrainVisualizationHook):
    """The host's hook, in the right colours, for pictures of any channels and bits.

    In a test, pictures of one name in several folders do not overwrite another: files end in the
    place of the picture in the set, as those of mmsegmentation's hook do. The host takes BGR for
    RGB.
    """

    def before_run(self, runner: Runner) -> None:
        """Keep the runner, which the host does not hand on to what draws."""
        self._runner = runner

    def before_test(self, runner: Runner) -> None:
        """Begin to count."""
        self._seen = 0

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence
    ) -> None:
        """Draw a batch."""
        pictures = _pictures(data_batch)
        for place, sample in enumerate(outputs):
            one = {'inputs': pictures[place : place + 1]}
            self._draw_samples(self._seen, one, [sample], step=self._seen)
            self._seen += 1

    def _draw_samples(
        self, batch_idx: int, data_batch: Any, data_samples: Sequence, step: int = 0
    ) -> None:
        if self.enable:
            shown = [picture_of_input(self._runner, image) for image in data_batch['inputs']]
            inputs = [torch.from_numpy(picture).permute(2, 0, 1) for picture in shown]
            super()._draw_samples(batch_idx, {'inputs': inputs}, data_samples, step)
