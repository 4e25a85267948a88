"""Checkpoints that are whole or not there, that run no code, and of which one always stays."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch import nn

from sacm_mm.core.files import write_bytes, write_text
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.registry import HOOKS

_CURVE = 'learning curve'  # marks a HistoryBuffer that was written as plain values
_GRADIENTS = 'gradients'  # of batches that the next step of the optimizer will sum up


class AtomicLocalBackend(LocalBackend):
    """Local files that appear under their name only when they are complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` beside ``filepath``, then rename it into place."""
        write_bytes(obj, filepath)


register_backend('sacm_mm_atomic', AtomicLocalBackend, force=True)


class _RemovesLater:
    """A storage backend that notes what is to be removed, for when the new file is there."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Note a file."""
        self.outdated.append(path)


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """The host's hook, safe against kills and full disks, and without pickled objects.

    The host writes in place, removes the old checkpoint before the new one is there, truncates
    ``last_checkpoint`` before it is written, and pickles learning curves and the one-cycle
    schedule's function, which only a loader that runs code can read. Where several batches make a
    step (``accumulative_counts``), it forgets those that wait for one; of several processes, those
    of the first are kept for all.
    """

    def __init__(self, *args, backend_args: dict | None = None, **kwargs) -> None:
        backend_args = backend_args or {'backend': 'sacm_mm_atomic'}
        super().__init__(*args, backend_args=backend_args, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Look for the best checkpoint here: a run may go on in another folder than it began in."""
        super().before_train(runner)
        kept: Any = self
        if hasattr(kept, 'best_ckpt_path'):
            kept.best_ckpt_path = self._here(kept.best_ckpt_path)
        elif self.save_best is not None:  # by several figures
            paths = kept.best_ckpt_path_dict
            kept.best_ckpt_path_dict = {key: self._here(path) for key, path in paths.items()}

    def _here(self, path: str | None) -> str | None:
        return path and str(Path(self.out_dir, Path(path).name))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave nothing but numbers, text and tensors in a checkpoint."""
        for key in ('meta', 'message_hub', 'param_schedulers'):
            if key in checkpoint:
                checkpoint[key] = _plain(checkpoint[key])
        waiting = {name: p.grad.cpu() for name, p in _parameters(runner) if p.grad is not None}
        if waiting and 'optimizer' in checkpoint:
            checkpoint[_GRADIENTS] = waiting

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Make learning curves and gradients of what ``before_save_checkpoint`` wrote."""
        if runner._resume:
            waiting = checkpoint.get(_GRADIENTS, {})
            for name, parameter in _parameters(runner):
                if name in waiting:
                    parameter.grad = waiting[name].to(parameter)
        scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
        for key, value in scalars.items():
            if isinstance(value, Mapping) and _CURVE in value:
                log, counts, length = value[_CURVE]
                scalars[key] = HistoryBuffer(log.numpy(), counts.numpy(), length)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._keeping_the_old(super()._save_checkpoint_with_step, runner, step, meta)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        self._keeping_the_old(super()._save_best_checkpoint, runner, metrics)

    def _keeping_the_old(self, save: Callable, runner: Runner, *args: Any) -> None:
        """Call a method of the host that saves; remove what is outdated when that is done."""
        backend: Any = self.file_backend  # type: ignore[has-type]
        later = self.file_backend = _RemovesLater(backend)
        try:
            save(runner, *args)
        finally:
            self.file_backend = backend
        if not is_main_process():
            return
        if self.last_ckpt is not None:  # again: the host's way may leave it empty
            write_text(str(self.last_ckpt), Path(runner.work_dir, 'last_checkpoint'))
        # a step that is validated once more may have been the best already
        by_figure = getattr(self, 'best_ckpt_path_dict', {})
        best = {getattr(self, 'best_ckpt_path', None), *by_figure.values()}
        for path in later.outdated:
            if path not in best and backend.isfile(path):
                backend.remove(path)


def _parameters(runner: Runner) -> Iterator[tuple[str, nn.Parameter]]:
    model = unwrapped(runner.model)
    return model.named_parameters()


def _plain(value: Any) -> Any:
    """Copy what a checkpoint says beside the weights, without objects that need code to be read."""
    if isinstance(value, HistoryBuffer):
        log, counts = value.data
        return {_CURVE: (torch.from_numpy(log), torch.from_numpy(counts), value.max_length)}
    if isinstance(value, Mapping):
        # the one-cycle schedule holds a function, and makes it anew
        return {key: _plain(item) for key, item in value.items() if not callable(item)}
    if isinstance(value, (list, tuple)):
        items = map(_plain, value)
        return list(items) if isinstance(value, list) else tuple(items)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return value.item() if isinstance(value, np.generic) else value
