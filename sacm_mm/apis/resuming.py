"""Go on with a run that was stopped: from its checkpoint, with its seed, and set as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.configs import hook_names, read_config
from sacm_mm.core.errors import UserError

_OF_EACH_START = ('load_from', 'resume', 'work_dir', 'launcher')


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
    """List the settings that are not those of the run in the work dir, where it left its config."""
    earlier = Path(cfg.work_dir, Path(cfg.filename or '').name)
    if not earlier.is_file():
        return []
    before, after = (
        {key: value for key, value in part.to_dict().items() if key not in _OF_EACH_START}
        for part in (read_config(earlier), cfg)
    )
    return list(_differences(before, after, ''))


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            place = f'{path}.{key}' if path else str(key)
            if key in before and key in after:
                yield from _differences(before[key], after[key], place)
            else:
                yield place
    elif before != after:
        yield path
