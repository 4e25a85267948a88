"""End a training that no longer gets better."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.errors import UserError
from sacm_mm.registry import HOOKS

_KEPT = 'early_stopping'  # best figure and validations since, in the run's checkpoints


@HOOKS.register_module()
class EarlyStoppingHook(Hook):
    """Stop after some validations in a row without a better figure.

    Other than the host's hook it goes on after a resume where it was, any rise counts, and a figure
    that is not a number is no best one.

    Args:
        monitor: The figure, such as ``mIoU``.
        rule: ``greater`` or ``less``: which is better.
        patience: Validations without a better one, after which it stops.
    """

    priority = 'LOWEST'  # after the checkpoint of a best one is written

    def __init__(self, monitor: str, rule: str, patience: int) -> None:
        self.monitor = monitor
        self.sign = {'greater': 1.0, 'less': -1.0}[rule]
        self.patience = patience

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Compare with the best so far.

        Raises:
            UserError: The validation has no such figure.
        """
        if self.monitor not in (metrics or {}):
            raise UserError(
                f"early stopping looks at '{self.monitor}', which the validation does not measure: "
                f'it has {", ".join(metrics or {})}'
            )
        value = float((metrics or {})[self.monitor])
        best, waited = self._so_far(runner)
        if math.isfinite(value) and (best is None or self.sign * value > self.sign * best):
            best, waited = value, 0
        else:
            waited += 1
        runner.message_hub.update_info(_KEPT, [best, waited])
        if waited >= self.patience:
            runner.train_loop.stop_training = True
            best_said = 'never a number' if best is None else f'at best {best:.4g}'
            runner.logger.info(
                f'Stopped early: {self.monitor} has not become better for {waited} validations '
                f'({best_said})'
            )

    @staticmethod
    def _so_far(runner: Runner) -> tuple[float | None, int]:
        known: Any = runner.message_hub.runtime_info.get(_KEPT)
        return (known[0], int(known[1])) if known else (None, 0)
