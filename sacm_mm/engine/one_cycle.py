"""The one-cycle schedule, with its length and height named once."""

from __future__ import annotations

from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OneCycleLR as HostOneCycleLR

from sacm_mm.registry import PARAM_SCHEDULERS

_PROGRESS = ('last_step', '_global_step', '_last_value')


@PARAM_SCHEDULERS.register_module()
class OneCycleLR(HostOneCycleLR):
    """The host's schedule over the whole training loop, up to the optimizer's learning rate.

    Neither is written down twice: ``train_cfg.max_iters`` (or ``max_epochs``) is the length, the
    ``lr`` of each parameter group, multipliers included, is its peak. A run that is resumed with
    another length goes on at its step of the new schedule.

    Args:
        optimizer: The optimizer, or its wrapper.
        eta_max: Highest learning rate, for all groups or one each; None is each group's own.
        **kwargs: As the host's: ``pct_start``, ``div_factor``, ``by_epoch``, ...
    """

    _schedule_phases: list[dict]

    def __init__(
        self, optimizer: Any, *args: Any, eta_max: float | list | None = None, **kwargs: Any
    ):
        if eta_max is None:
            eta_max = [group['lr'] for group in optimizer.param_groups]
        super().__init__(optimizer, *args, eta_max=eta_max, **kwargs)

    def _get_value(self) -> list[float]:
        if self._schedule_phases[0]['end_step'] == 0:
            # a rise that ends with the first step has no length, which the host divides by
            self._schedule_phases = self._schedule_phases[1:]
        return super()._get_value()

    def state_dict(self) -> dict:
        """Keep what is numbers: a function would have to be unpickled, which can run any code."""
        return {key: value for key, value in super().state_dict().items() if key != 'anneal_func'}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the progress; length and form are the config's."""
        super().load_state_dict({key: state_dict[key] for key in _PROGRESS})
        before = state_dict.get('total_steps', self.total_steps)
        if before == self.total_steps:
            return
        # a schedule that is over no longer counts
        self.last_step = max(-1, min(self._global_step, self.end - 1) - self.begin)
        print_log(
            f'the schedule was {before} steps long and is {self.total_steps} now: '
            f'it goes on at step {self.last_step} of the new one',
            logger='current',
        )
        if self.last_step >= 0:
            for group, rate in zip(self.optimizer.param_groups, self._get_value()):
                group['lr'] = rate
