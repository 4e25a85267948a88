"""Stop a training that has gone wrong, or that is asked to stop, without losing what it has."""

import math
import signal
import threading
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.errors import UserError
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.registry import HOOKS

_SCALED = 50  # steps without a finite loss after which a loss scale will not find one either


@HOOKS.register_module()
class StopOnNonFiniteHook(Hook):
    """Stop at the first loss or weight that is nan or infinite; the last good checkpoint stays.

    Under a dynamic loss scale (float16) single steps overflow and are skipped: there it takes many
    in a row.
    """

    priority = 'VERY_HIGH'  # before what logs or saves

    def __init__(self) -> None:
        self._overflows = 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Look at the losses of a step.

        Raises:
            UserError: One is not finite.
        """
        wrong = [name for name, loss in (outputs or {}).items() if not _finite(loss)]
        self._overflows = self._overflows + 1 if wrong else 0
        allowed = _SCALED if hasattr(runner.optim_wrapper, 'loss_scaler') else 0
        if wrong and self._overflows > allowed:
            self._stop(runner, f'{wrong[0]} is {_value(outputs, wrong[0])}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights before they are written.

        Raises:
            UserError: One is not finite.
        """
        if name := _broken_weight(runner):
            self._stop(runner, f'{name} has values that are not finite')

    def _stop(self, runner: Runner, what: str) -> None:
        try:
            kept = f"the last good checkpoint is '{find_checkpoint(runner.work_dir)}'"
        except UserError:
            kept = 'there is no checkpoint yet'
        raise UserError(
            f'training diverged at step {runner.iter + 1}: {what}{_where(runner)}; {kept}. Try a '
            'lower learning rate, gradient clipping (optim_wrapper.clip_grad) or a warm-up'
        )


def _where(runner: Runner) -> str:
    """Say which layer saw it first, by what only a forward pass changes: the norms' statistics."""
    model = unwrapped(runner.model)
    norms = [(name, value) for name, value in model.named_buffers() if 'running' in name]
    broken = [name for name, value in norms if not value.isfinite().all()]
    if broken:
        return f', first seen by {broken[0].rpartition(".")[0]}'
    return ', after the last norm layer (in a head or a loss)' if norms else ''


def _finite(loss: Any) -> bool:
    if isinstance(loss, torch.Tensor):
        return bool(loss.isfinite().all())
    return not isinstance(loss, float) or math.isfinite(loss)


def _value(outputs: Any, name: str) -> float:
    loss = outputs[name]
    return float(loss.detach().float().mean() if isinstance(loss, torch.Tensor) else loss)


def _broken_weight(runner: Runner) -> str:
    model = unwrapped(runner.model)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            return name
    return ''


@HOOKS.register_module()
class StopOnSignalHook(Hook):
    """End after the step that runs when Ctrl-C or SIGTERM comes, with a checkpoint.

    The exit code is 130 or 143, as a shell expects. A second signal ends at once. Where training is
    counted in epochs no checkpoint is written in the middle of one: that of the last epoch stays.
    """

    priority = 'VERY_LOW'  # after what counts and saves

    def __init__(self) -> None:
        self._asked = 0
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = number

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Save and end, if that was asked for.

        Raises:
            SystemExit: With the signal's exit code.
        """
        if not self._asked:
            return
        number = self._asked
        self._stop_listening()
        saver = next((h for h in runner.hooks if isinstance(h, CheckpointHook)), None)
        if saver is not None and isinstance(runner.train_loop, IterBasedTrainLoop):
            saver._save_checkpoint(runner)
        name = signal.Signals(number).name
        try:
            where = f"'{find_checkpoint(runner.work_dir)}': --resume goes on from there"
        except UserError:
            where = 'none yet'
        runner.logger.info(f'Stopped by {name} after step {runner.iter + 1}; checkpoint {where}')
        raise SystemExit(128 + number)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """End in the middle of a validation, whose step has been saved or can be done again."""
        if self._asked:
            number = self._asked
            self._stop_listening()
            raise SystemExit(128 + number)

    def after_train(self, runner: Runner) -> None:
        """Stop listening."""
        self._stop_listening()

    def _stop_listening(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
        self._asked = 0
