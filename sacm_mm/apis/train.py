"""Train a config with mmengine's Runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

from sacm_mm.apis.fast import use_amp, use_fast
from sacm_mm.apis.runner import build_runner, prepare_run
from sacm_mm.apis.sources import own_config
from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.configs import load_config
from sacm_mm.core.errors import UserError


def train(
    config: str | Path | Config,
    *,
    work_dir: str | Path | None = None,
    options: Sequence[str] = (),
    backbone: str | None = None,
    resume: bool | str | Path = False,
    amp: bool = False,
    fast: bool = False,
    launcher: str = 'none',
) -> Runner:
    """Train a config, with validation as it says.

    Args:
        config: Config file, the name of one of ours, a loaded config, or a work dir for its own.
        work_dir: Folder for logs and checkpoints; by default ``work_dirs/<name of the config>``.
        options: Changes of the config, ``KEY=VALUE``.
        backbone: Backbone by name to put in first, see ``sacm_mm.swap_backbone``.
        resume: Go on from the newest checkpoint of the work dir, or from a named one.
        amp: Mixed precision: float16 on a GPU, bfloat16 on a CPU.
        fast: What trains fastest on this machine, see ``use_fast``.
        launcher: How the processes of a distributed run were started.

    Returns:
        The runner, when it has finished.

    Raises:
        UserError: Whatever the user can mend; before the work dir exists, where it can be found.
    """
    if isinstance(config, Config):
        cfg = config
    else:
        own = own_config(Path(config)) if Path(config).is_dir() else None
        work_dir = work_dir or (str(config) if own else None)
        cfg = load_config(str(own or config), options)
    if backbone:
        from sacm_mm.swap import swap_for_training

        cfg = swap_for_training(cfg, backbone)
    cfg = prepare_train(cfg, work_dir, resume, amp, fast, launcher)
    runner = build_runner(cfg, ('train_dataloader', 'val_dataloader'))
    runner.train()
    return runner


def prepare_train(
    cfg: Config,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    amp: bool = False,
    fast: bool = False,
    launcher: str = 'none',
) -> Config:
    """Write the arguments of ``train`` into a config.

    Raises:
        UserError: The work dir cannot be written, or there is nothing to start from.
    """
    prepare_run(cfg, work_dir, launcher)
    if cfg.get('load_from'):
        cfg.load_from = find_checkpoint(cfg.load_from)
    if amp:
        use_amp(cfg)
    if fast:
        print(f'fast: {", ".join(use_fast(cfg)) or "nothing to set"}')
    if resume:
        cfg.resume, cfg.load_from = True, _resume_from(cfg, resume)
    return cfg


def _resume_from(cfg: Config, resume: bool | str | Path) -> str:
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
