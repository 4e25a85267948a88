"""Turn a config and command-line flags into what mmengine's Runner takes, and check it first."""

from __future__ import annotations

import copy
import os
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import (
    DATASETS,
    HOOKS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
    Registry,
    init_default_scope,
)
from mmengine.runner import Runner
from torch import nn

from sacm_mm.core.checkpoints import check_weights, find_checkpoint, read_weights
from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import check_writable
from sacm_mm.core.machine import stamp_line
from sacm_mm.deploy.runtimes import is_exported
from sacm_mm.fast import use_amp, use_fast

# Parts that the runner builds from the config, and where their types are registered.
_PARTS = {
    'optim_wrapper': OPTIM_WRAPPERS,
    'optim_wrapper.optimizer': OPTIMIZERS,
    'param_scheduler': PARAM_SCHEDULERS,
    'train_cfg': LOOPS,
    'val_evaluator': METRICS,
    'test_evaluator': METRICS,
    'default_hooks': HOOKS,
    'custom_hooks': HOOKS,
    'visualizer': VISUALIZERS,
}


def prepare_train(cfg: Config, args: Namespace) -> Config:
    """Apply the flags of ``tools/train.py``.

    Raises:
        UserError: The work directory cannot be written, or there is nothing to start from.
    """
    _prepare_common(cfg, args)
    if cfg.get('load_from'):
        cfg.load_from = find_checkpoint(cfg.load_from)
    if args.amp:
        use_amp(cfg)
    if args.fast:
        print(f'fast: {", ".join(use_fast(cfg)) or "nothing to set"}')
    if args.resume:
        start = cfg.work_dir if args.resume == 'auto' else args.resume
        try:
            cfg.resume, cfg.load_from = True, find_checkpoint(start)
        except UserError as error:
            if args.resume != 'auto':
                raise
            raise UserError(
                f'nothing to resume: {error}; leave out --resume to start, or name a checkpoint '
                'after it'
            ) from error
    return cfg


def prepare_test(cfg: Config, args: Namespace) -> Config:
    """Apply the flags of ``tools/test.py``.

    Raises:
        UserError: A file or folder is missing or cannot be written, or the config has no TTA.
    """
    _prepare_common(cfg, args)
    if is_exported(args.checkpoint):
        cfg.model = ConfigDict(
            type='sacm_mm.exported_model',
            model=cfg.model,
            file=args.checkpoint,
            runtime=args.runtime,
        )
    else:
        cfg.load_from = find_checkpoint(args.checkpoint)
    for folder in (args.show_dir, args.out and str(Path(args.out).parent)):
        if folder:
            check_writable(folder)
    if args.tta:
        if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
            raise UserError(f"config '{cfg.filename}' has no tta_model and tta_pipeline")
        cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
        cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    if args.show or args.show_dir:
        _draw_predictions(cfg, args)
    if args.out:
        _save_predictions(cfg, args.out)
    if args.grid:
        if Path(args.grid).suffix.lower() != '.png':
            raise UserError(f"--grid writes a PNG: let '{args.grid}' end in .png")
        if cfg.get('default_scope') == 'mmpretrain':
            raise UserError('--grid draws segmentation; use --show-dir for classification')
        check_writable(Path(args.grid).parent)
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            dict(type='sacm_mm.PictureGridHook', out=args.grid),
        ]
    return cfg


def _prepare_common(cfg: Config, args: Namespace) -> None:
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg.launcher = args.launcher
    # the host's order: flag, config, name of the config
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{Path(cfg.filename).stem}'
    check_writable(cfg.work_dir)
    if cfg.get('model') is None:
        raise UserError(f"config '{cfg.filename}' has no model: give a leaf config, not a fragment")


def _draw_predictions(cfg: Config, args: Namespace) -> None:
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise UserError("--show and --show-dir need a 'visualization' hook in default_hooks")
    hook.show, hook.wait_time = args.show, args.wait_time
    if cfg.get('default_scope') == 'mmpretrain':
        hook.enable, hook.out_dir, hook.interval = True, args.show_dir, 1
    else:
        hook.draw = True
        if args.show_dir:
            cfg.visualizer.save_dir = args.show_dir


def _save_predictions(cfg: Config, out: str) -> None:
    if cfg.get('default_scope') == 'mmpretrain':
        evaluators = cfg.test_evaluator
        evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=out)]
    else:
        saver = dict(type='sacm_mm.SavePredictionsHook', out=out)
        cfg.custom_hooks = [*cfg.get('custom_hooks', []), saver]


def build_runner(cfg: Config, loaders: tuple[str, ...]) -> Runner:
    """Check the model and the data sets, then build the runner.

    Mistakes are found before anything is written: the runner makes its folder before its parts.

    Args:
        cfg: The prepared config.
        loaders: The data loaders that the run uses.

    Raises:
        UserError: Whatever the parts say, or maps and heads that do not fit each other.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    _check_types(cfg)
    model = _build(MODELS, cfg.model, 'model')
    model = getattr(model, 'module', model)  # a TTA wrapper
    _check_heads(model)
    if cfg.get('load_from') and (cfg.get('resume') or 'train_dataloader' not in loaders):
        check_weights(model, read_weights(cfg.load_from), cfg.load_from)
    for loader in loaders:
        if cfg.get(loader) is not None:
            _build(DATASETS, cfg[loader].dataset, f'{loader}.dataset')
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        _distribute_on_cpu(cfg)
    runner = Runner.from_cfg(cfg)
    runner.logger.info(stamp_line())
    return runner


def _check_types(cfg: Config) -> None:
    """Look every named part up before the runner makes its folder; models and data are built."""
    for key, registry in _PARTS.items():
        section: Any = cfg
        for name in key.split('.'):
            section = (section or {}).get(name)
        for part in _parts_of(section):
            if not _is_registered(part['type'], registry):
                raise UserError(f"'{key}' of the config names an unknown type '{part['type']}'")


def _is_registered(name: str, registry: Registry) -> bool:
    # the registry of the default scope sees the host's parts and mmengine's
    with registry.switch_scope_and_registry(None) as scoped:
        try:
            return scoped.get(name) is not None
        except (KeyError, RuntimeError):  # a scope or a module that does not exist
            return False


def _parts_of(section: Any) -> list[dict]:
    """List what a section holds: one part, a list of parts, or parts by name."""
    if isinstance(section, dict):
        section = [section] if 'type' in section else section.values()
    return [
        part
        for part in section or ()
        if isinstance(part, dict) and isinstance(part.get('type'), str)
    ]


def _build(registry: Registry, cfg: ConfigDict, name: str) -> Any:
    """Build a part; an unknown type or keyword is the config's mistake, not a bug."""
    try:
        return registry.build(copy.deepcopy(cfg))
    except (KeyError, TypeError) as error:
        if re.search(
            'is not in the|unexpected keyword|required .*argument|the key "type"', str(error)
        ):
            raise UserError(f"'{name}' of the config does not build: {one_line(error)}") from error
        raise


def _distribute_on_cpu(cfg: Config) -> None:
    """Do what the host does for GPUs only: it sets a CUDA device and wraps the model with one."""
    torch.distributed.init_process_group(backend='gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )


def _check_heads(model: nn.Module) -> None:
    """Compare what the backbone or neck offers with what each head takes."""
    neck = getattr(model, 'neck', None)
    if type(neck).__name__ == 'GlobalAveragePooling':
        neck = None  # it keeps the channels
    source = neck or getattr(model, 'backbone', None)
    offered = getattr(source, 'out_channels', None)
    if not isinstance(offered, (tuple, list)):
        return
    for name, head in _heads(model):
        indices = getattr(head, 'in_index', -1)
        indices = [indices] if isinstance(indices, int) else list(indices)
        if any(not -len(offered) <= i < len(offered) for i in indices):
            raise UserError(
                f'{name} has in_index={head.in_index}, but there are only {len(offered)} feature '
                'maps: set out_indices of the backbone'
            )
        found = [offered[i] for i in indices]
        wanted = getattr(head, 'in_channels', None)
        if wanted is None:
            continue
        agrees = sum(found) == wanted if isinstance(wanted, int) else found == list(wanted)
        if not agrees:
            raise UserError(
                f'{name} has in_channels={wanted}, but its feature maps have '
                f'{found[0] if len(found) == 1 else found} channels: set in_channels to that'
            )


def _heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name in ('decode_head', 'depth_head', 'auxiliary_head', 'head'):
        head = getattr(model, name, None)
        if isinstance(head, nn.ModuleList):
            yield from ((f'{name}[{i}]', part) for i, part in enumerate(head))
        elif head is not None:
            yield name, head
