"""Train a config with mmengine's Runner."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from sacm_mm.apis.extras import add_extras, use_fold
from sacm_mm.apis.fast import use_amp, use_fast
from sacm_mm.apis.find_model import own_config
from sacm_mm.apis.resuming import changes_since, resume_from, without_effect
from sacm_mm.apis.runner import build_runner, prepare_run
from sacm_mm.apis.starting import Start, starting
from sacm_mm.core.checkpoints import checkpoints_in, find_checkpoint
from sacm_mm.core.configs import load_config
from sacm_mm.core.errors import UserError, causes
from sacm_mm.core.files import lock_folder, remove_leftovers
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.models.batch_norms import constant_channels
from sacm_mm.own_data.samples import listed

_PATIENCE_S = 10.0  # the loaders' workers of a killed run hold its folder for some seconds


def train(
    config: str | Path | Config,
    *,
    work_dir: str | Path | None = None,
    options: Sequence[str] = (),
    backbone: str | None = None,
    weights: str | None = None,
    resume: bool | str | Path = False,
    overwrite: bool = False,
    minutes: float | None = None,
    amp: bool = False,
    fast: bool = False,
    ema: bool = False,
    accumulate: int = 1,
    patience: int | None = None,
    balanced: bool = False,
    folds: int | None = None,
    fold: int | None = None,
    loggers: Sequence[str] = (),
    launcher: str = 'none',
    trust: bool = False,
) -> Runner:
    """Train a config, with validation as it says.

    Args:
        config: Config file, the name of one of ours, a loaded config, or a work dir for its own.
        work_dir: Folder for logs and checkpoints; by default ``work_dirs/<name of the config>``.
        options: Changes of the config, ``KEY=VALUE``.
        backbone: Backbone by name to put in first, see ``sacm_mm.swap_backbone``.
        weights: Start from those of another training: a published model by name, a work dir or a
            file. Heads for other classes are left out, other channels are adapted to.
        resume: Go on from the newest checkpoint of the work dir, or from a named one.
        overwrite: Remove the checkpoints of another run in the work dir.
        minutes: Fit loop and schedule into this time.
        amp: Mixed precision: float16 on a GPU, bfloat16 on a CPU.
        fast: What trains fastest on this machine, see ``use_fast``.
        ema: Validate and save the running average of the weights.
        accumulate: Batches that one step of the optimizer sums up.
        patience: Stop after so many validations without a better figure.
        balanced: Draw pictures with rare classes more often.
        folds: Divide the data of ``sacm data`` into so many folds, train on all of them but one.
        fold: Number of the one that is validated on, from 1 on.
        loggers: ``tensorboard``, ``wandb``, ``mlflow``: beside those of the config.
        launcher: How the processes of a distributed run were started.
        trust: Take checkpoints that run code.

    Returns:
        The runner, when it has finished.

    Raises:
        UserError: Whatever the user can mend; before the work dir exists, where it can be found.
    """
    if isinstance(config, Config):
        cfg = config
    else:
        own = own_config(Path(config)) if _is_work_dir(Path(config)) else None
        work_dir = work_dir or (str(config) if own else None)
        cfg = load_config(str(own or config), options)
    if minutes is not None and launcher != 'none':
        raise UserError(
            '--minutes times the steps of one process: leave it out of a distributed run, and set '
            'the length of the loop'
        )
    with ExitStack() as held, starting(cfg) as begun:  # held until all is tidied up
        if backbone:
            from sacm_mm.swap import swap_for_training

            cfg = swap_for_training(cfg, backbone)
        if folds is not None or fold is not None:
            use_fold(cfg, folds, fold)
        cfg = prepare_train(cfg, work_dir, resume, amp, fast, launcher, begun)
        _check_work_dir(cfg, overwrite)
        if minutes is not None and cfg.get('resume'):
            raise UserError(
                '--minutes would give the run that goes on another length and schedule: go on with '
                f"its own by 'sacm train {cfg.work_dir} --resume'"
            )
        if weights and cfg.get('resume'):
            raise UserError('--weights starts a training, --resume goes on with one: give one')
        add_extras(cfg, ema, accumulate, patience, balanced, loggers)
        first: dict[str, Tensor] = {}

        def ready(cfg: Config, model: nn.Module, loaders: dict[str, Any]) -> None:
            if weights:
                from sacm_mm.apis.fine_tuning import weights_to_start_from

                found, said = weights_to_start_from(model, weights, trust)
                first.update(found)
                print(said)
            if minutes is not None:
                from sacm_mm.apis.time_budget import fit_minutes

                print(fit_minutes(cfg, model, loaders['train_dataloader'], minutes))
            if os.environ.get('RANK', '0') == '0':
                if cfg.get('resume') and (changed := changes_since(cfg)):
                    print(f'note: not as in the run that goes on: {listed(changed, 6)}')
                    if kept := without_effect(cfg, changed):
                        print(
                            'note: without effect, for the checkpoint has its own values: '
                            f'{listed(kept, 6)}; --weights in place of --resume takes these'
                        )
                begun.wrote(held.enter_context(lock_folder(cfg.work_dir, _PATIENCE_S)).name)
                remove_leftovers(Path(cfg.work_dir))
                if overwrite and not cfg.get('resume'):
                    _remove_checkpoints(Path(cfg.work_dir), cfg.get('load_from'))

        runner = build_runner(cfg, ('train_dataloader', 'val_dataloader'), ready, trust, begun)
        runner.start_weights = first or None
        _run(runner)
    return runner


def _run(runner: Runner) -> None:
    try:
        runner.train()
    except ValueError as error:
        if any('more than 1 value per channel' in str(cause) for cause in causes(error)):
            raise UserError(
                'a batch of one picture is too small for a norm of this model: set '
                'train_dataloader.batch_size to 2 or more, and train_dataloader.drop_last=True '
                'where the last batch is smaller'
            ) from error
        raise
    if constant := constant_channels(unwrapped(runner.model)):
        runner.logger.warning(f'Of the trained model, {constant}')


def _is_work_dir(path: Path) -> bool:
    return path.is_dir() and (bool(checkpoints_in(path)) or any(path.glob('*/vis_data')))


def _check_work_dir(cfg: Config, overwrite: bool) -> None:
    """Leave what another run has learned alone."""
    found = checkpoints_in(Path(cfg.work_dir))
    if found and not cfg.get('resume') and not overwrite:
        raise UserError(
            f"'{cfg.work_dir}' holds another run ({found[0].name}): go on with --resume, choose "
            'another --work-dir, or give --overwrite'
        )


def _remove_checkpoints(folder: Path, keep: str | None) -> None:
    for path in (*folder.glob('*.pth'), folder / 'last_checkpoint'):
        if keep is None or path.resolve() != Path(keep).resolve():
            path.unlink(missing_ok=True)


def prepare_train(
    cfg: Config,
    work_dir: str | Path | None = None,
    resume: bool | str | Path = False,
    amp: bool = False,
    fast: bool = False,
    launcher: str = 'none',
    start: Start | None = None,
) -> Config:
    """Write the arguments of ``train`` into a config.

    Raises:
        UserError: The work dir cannot be written, or there is nothing to start from.
    """
    prepare_run(cfg, work_dir, launcher, start)
    if cfg.get('load_from'):
        cfg.load_from = find_checkpoint(cfg.load_from)
    if amp:
        print(f'amp: {use_amp(cfg)}')
    if fast:
        print(f'fast: {", ".join(use_fast(cfg)) or "nothing to set"}')
    if resume:
        cfg.resume, cfg.load_from = True, resume_from(cfg, resume)
    return cfg
