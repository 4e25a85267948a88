"""Pictures of a classifier's test, each in a file of its own."""

from collections.abc import Sequence
from typing import Any

from mmengine.runner import Runner
from mmpretrain.engine.hooks import VisualizationHook as MMPretrainVisualizationHook

from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class ClsVisualizationHook(MMPretrainVisualizationHook):
    """The host's hook; in a test, pictures of one name in several folders do not overwrite another.

    Files end in the place of the picture in the set, as those of mmsegmentation's hook do.
    """

    def before_test(self, runner: Runner) -> None:
        """Begin to count."""
        self._seen = 0

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Sequence
    ) -> None:
        """Draw a batch."""
        for place, sample in enumerate(outputs):
            one = {'inputs': data_batch['inputs'][place : place + 1]}
            self._draw_samples(self._seen, one, [sample], step=self._seen)
            self._seen += 1
