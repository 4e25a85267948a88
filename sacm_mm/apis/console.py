"""What a run shows on the console: its progress and its results. The log file holds everything."""

from __future__ import annotations

import logging
import sys
from types import FrameType
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

_LOUD = ('sacm_mm', 'mmengine.hooks.logger_hook', 'mmengine.hooks.early_stopping_hook')
_RESULTS = '.evaluation.'  # the hosts' metrics print their tables
_SHOWN = 'resumed epoch'  # where a run goes on
# for the file only, or nothing that a user could mend
_NOISE = (
    'sacm_mm stamp',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'The prefix is not',
    'Fast sampler-level resume is unavailable',
)


def quiet_console(logger: MMLogger) -> None:
    """Keep the environment, the config and the hooks' lists of a run off the console."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.addFilter(_is_loud)


def _is_loud(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    if message.startswith(_NOISE):
        return False
    if record.levelno >= logging.WARNING or message.startswith(_SHOWN):
        return True
    speaker = _speaker()
    return speaker.startswith(_LOUD) or _RESULTS in speaker


def _speaker() -> str:
    """Name the module that logs: the first above the logging machinery."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get('__name__', '')
        if name != __name__ and not name.startswith(('logging', 'mmengine.logging')):
            return name
        frame = frame.f_back
    return ''


def summary(cfg: Config, model: nn.Module, datasets: dict[str, Any]) -> list[str]:
    """Say in a few lines what a run is going to do.

    Args:
        cfg: The checked config.
        model: The model, without its wrappers.
        datasets: What is built of the data, by name of its loader.
    """
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    backbone = getattr(model, 'backbone', None)
    parts = [type(model).__name__] + ([type(backbone).__name__] if backbone is not None else [])
    lines = [f'model  {" with ".join(parts)}, {parameters:.2f} M parameters']
    for name, dataset in datasets.items():
        what = name.removesuffix('_dataloader')
        line = f'{what:<6} {len(dataset)} pictures of {type(dataset).__name__}'
        if what == 'train':
            steps, epochs = cfg.train_cfg.get('max_iters'), cfg.train_cfg.get('max_epochs')
            length = f'{steps} steps' if steps else f'{epochs} epochs'
            line += f', batches of {cfg.train_dataloader.batch_size}, {length}'
        lines.append(line)
    return [*lines, f'log    {cfg.work_dir}']
