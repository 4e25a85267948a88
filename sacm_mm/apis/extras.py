"""What the flags of ``sacm train`` add to a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from sacm_mm.apis.fast import optim_wrappers
from sacm_mm.core.configs import hook_names, put_hook
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.dataset_file import read_dataset_file
from sacm_mm.own_data.splitting import frames_by_recording

_LOGGERS = {'tensorboard': 'Tensorboard', 'wandb': 'Wandb', 'mlflow': 'MLflow'}
# The host's plain average is made for 100000 steps: after 1000 it is the first weights for 82 %.
# This one looks back over a hundredth of the steps so far, and over 5000 at most.
_AVERAGE = dict(type='EMAHook', ema_type='MomentumAnnealingEMA', update_buffers=True)
_BALANCED = ('sacm_mm.InfiniteSampler', 'sacm_mm.DefaultSampler')
_FOLDED = ('sacm_mm.FolderSegDataset', 'sacm_mm.FolderDepthDataset', 'sacm_mm.FolderClsDataset')


def add_extras(
    cfg: Config,
    ema: bool = False,
    accumulate: int = 1,
    patience: int | None = None,
    balanced: bool = False,
    loggers: Sequence[str] = (),
) -> None:
    """Write what is asked for into a config.

    Raises:
        UserError: The config has nothing that it could be added to.
    """
    if ema and 'EMAHook' not in hook_names(cfg):
        put_hook(cfg, dict(_AVERAGE))
    if accumulate > 1:
        for wrapper in optim_wrappers(cfg):
            wrapper['accumulative_counts'] = accumulate
    if patience is not None:
        _add_early_stopping(cfg, patience)
    if balanced:
        _balance(cfg)
    for name in loggers:
        if name not in _LOGGERS:
            raise UserError(f"there is no logger '{name}': choose of {', '.join(_LOGGERS)}")
        backends = list((cfg.get('visualizer') or {}).get('vis_backends') or ())
        kind = f'{_LOGGERS[name]}VisBackend'
        if kind not in [backend['type'] for backend in backends]:
            cfg.visualizer['vis_backends'] = [*backends, dict(type=kind)]


def _add_early_stopping(cfg: Config, patience: int) -> None:
    saver = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    figure, rule = saver.get('save_best'), saver.get('rule')
    if cfg.get('val_dataloader') is None or not isinstance(figure, str) or figure == 'auto':
        raise UserError(
            '--patience needs validation and the figure that is best kept: set '
            "default_hooks.checkpoint.save_best, such as 'mIoU', and rule ('greater' or 'less')"
        )
    if rule not in ('greater', 'less'):
        raise UserError(
            f"--patience needs default_hooks.checkpoint.rule of '{figure}': it is {rule}"
        )
    hook = dict(type='sacm_mm.EarlyStoppingHook', monitor=figure, rule=rule, patience=patience)
    put_hook(cfg, hook)


def _balance(cfg: Config) -> None:
    sampler = cfg.train_dataloader.get('sampler') or {}
    if sampler.get('type') not in _BALANCED or not sampler.get('shuffle', True):
        raise UserError(
            f'--balanced needs a train_dataloader.sampler that shuffles, {" or ".join(_BALANCED)}: '
            f'it is {sampler.get("type")}'
        )
    sampler['balanced'] = True


def use_fold(cfg: Config, folds: int | None, fold: int | None) -> None:
    """Train and validate on a fold; where there is no test part it is tested on, too.

    Raises:
        UserError: One of the two is missing, or the data are not a folder of ``sacm data``.
    """
    if folds is None or fold is None:
        raise UserError('--folds says how many, --fold which one of them: give both, or none')
    if folds < 2 or not 1 <= fold <= folds:
        raise UserError(f'--folds {folds} --fold {fold}: there are 2 or more, counted from 1')
    for part in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{part}_dataloader') or {}).get('dataset') or {}
        if part == 'test' and dataset.get('split') != 'val':
            continue  # what is held out stays so
        if dataset.get('type') not in _FOLDED or dataset.get('split') not in ('train', 'val'):
            raise UserError(
                f"--folds needs data that 'sacm data' wrote: {part}_dataloader has a "
                f'{dataset.get("type")}'
            )
        dataset['fold'] = (fold, folds)
    content = read_dataset_file(Path(cfg.train_dataloader.dataset.data_root))
    names = [
        name for part in ('train', 'val') for name in (content.get('names') or {}).get(part, ())
    ]
    if not (content.get('split') or {}).get('group') and frames_by_recording(names):
        print(
            'note: names look like frames of recordings, which folds tear apart: figures will be '
            "better than they are; make the data anew with 'sacm data ... --group'"
        )
    if not cfg.get('work_dir'):
        cfg.work_dir = f'work_dirs/{Path(cfg.filename or "run").stem}_fold{fold}'
