"""Go on with a run that was stopped: from its checkpoint, with its seed, and set as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import OPTIMIZERS

from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.configs import as_list, differences, hook_names, read_config
from sacm_mm.core.errors import UserError

_OF_EACH_START = ('load_from', 'resume', 'work_dir', 'launcher')
_HEIGHT = ('eta_max', 'div_factor', 'final_div_factor')  # of our schedule, kept in the groups


def resume_from(cfg: Config, resume: bool | str | Path) -> str:
    """Find the checkpoint to go on from.

    Args:
        cfg: The config, with its work dir.
        resume: The checkpoint, or True for the newest of the work dir.

    Raises:
        UserError: There is none.
    """
    if not isinstance(resume, bool):
        return find_checkpoint(resume)
    try:
        if not Path(cfg.work_dir).exists():
            raise UserError(f"no checkpoint in '{cfg.work_dir}'")
        return find_checkpoint(cfg.work_dir)
    except UserError as error:
        raise UserError(
            f'nothing to resume: {error}; leave out --resume to start, or name a checkpoint after '
            'it'
        ) from error


def take_over(cfg: Config, checkpoint: Mapping[str, Any]) -> None:
    """Set what the samplers need before the host resumes: the seed of the run.

    Raises:
        UserError: The checkpoint has weights alone, with which the host would begin the schedule
            anew; or these are a running average, which the host would train itself.
    """
    if 'optimizer' not in checkpoint:
        raise UserError(
            f"checkpoint '{cfg.load_from}' holds no state of the optimizer, as a best one does: "
            'give --weights in place of --resume to start from it'
        )
    if 'ema_state_dict' in checkpoint and 'EMAHook' not in hook_names(cfg):
        raise UserError(
            f"checkpoint '{cfg.load_from}' is of a run with a running average of its weights: give "
            '--ema to go on with it, or --weights in place of --resume to start from it'
        )
    seed = (checkpoint.get('meta') or {}).get('seed')
    if seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': seed}


def changes_since(cfg: Config) -> list[str]:
    """List the settings that are not those of the run in the work dir, where it left its config.

    Raises:
        UserError: The optimizer is of another type, which the state in the checkpoint does not fit.
    """
    earlier = Path(cfg.work_dir, Path(cfg.filename or '').name)
    if not earlier.is_file():
        return []
    before, after = (
        {key: value for key, value in part.to_dict().items() if key not in _OF_EACH_START}
        for part in (read_config(earlier), cfg)
    )
    changed = [name for name, *_ in differences(before, after)]
    if 'optim_wrapper.optimizer.type' in changed:
        now, then = (part['optim_wrapper']['optimizer']['type'] for part in (after, before))
        raise UserError(
            f'optim_wrapper.optimizer is {now}, and the run that goes on has {then}: set that one, '
            'or give --weights in place of --resume'
        )
    return changed


def without_effect(cfg: Config, changed: Sequence[str]) -> list[str]:
    """Choose the changed settings of which the checkpoint has its own values, which are taken.

    Those are what PyTorch keeps in the groups of an optimizer, and all of the hosts' schedules.
    """
    optimizer, schedules = cfg.optim_wrapper.get('optimizer'), as_list(cfg.get('param_scheduler'))
    in_groups: Mapping[str, Any] = {}
    if optimizer:
        weights = [torch.zeros(1, requires_grad=True)]
        in_groups = OPTIMIZERS.build({**optimizer, 'params': weights}).defaults
    ours = all(schedule.get('type') == 'sacm_mm.OneCycleLR' for schedule in schedules)

    def is_kept(name: str) -> bool:
        if name.startswith('param_scheduler'):
            return name.rpartition('.')[2] in _HEIGHT or not ours
        if name.startswith('optim_wrapper.optimizer.'):
            return name.split('.')[2] in in_groups
        return name.startswith('optim_wrapper.paramwise_cfg')

    return [name for name in changed if is_kept(name)]
