"""The loss on validation data, beside the metrics."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class ValLossHook(Hook):
    """Measure the training loss on the validation data, as the figure ``val_loss``.

    A loss that rises while that of training falls says that the network learns its pictures by
    heart. It takes a second pass through the network; truth is used as the validation loads it.
    """

    priority = 'HIGHEST'  # before what logs, saves the best, or stops early

    def before_run(self, runner: Runner) -> None:
        """Have it logged as it is: the host logs the mean of the last steps of every loss."""
        pattern = runner.log_processor.mean_pattern
        runner.log_processor.mean_pattern = f'^(?!val_loss$){pattern}'

    def before_val_epoch(self, runner: Runner) -> None:
        """Begin anew."""
        self._sum, self._images = 0.0, 0

    @torch.no_grad()
    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Compute the loss of a batch; one that is not a number (nothing is labelled) is left out.

        Dropout is off and norms stay as they are, for the network is in evaluation.
        """
        model: Any = unwrapped(runner.model)
        losses = model(**model.data_preprocessor(data_batch, False), mode='loss')
        loss = float(model.parse_losses(losses)[0])
        if loss == loss:
            images = len(outputs or ()) or 1
            self._sum += loss * images
            self._images += images

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Hand the mean on with the metrics."""
        total = torch.tensor([self._sum, self._images], dtype=torch.float64)
        all_reduce(total)
        if metrics is not None and total[1]:
            metrics['val_loss'] = float(total[0] / total[1])
