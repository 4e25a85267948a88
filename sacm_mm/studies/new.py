"""Write the config of a study of one's own: backbones in turn in a config that trains."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sacm_mm.core.configs import as_list, find_config, kind_of, read_config
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import atomic_write
from sacm_mm.studies.study import load_study

_STEPS = 3000
_LR = 1e-3
# Of the evaluator: key of the figure, its name, its unit, whether higher is better.
_METRICS = {
    'IoUMetric': ('mIoU', 'mIoU', '%', True),
    'Accuracy': ('accuracy/top1', 'top-1', '%', True),
    'DepthMetric': ('{protocol}/abs_rel', 'abs rel', '', False),
}
_TEXT = """\
# Backbones in {config} under one recipe, by `sacm study new`; docs/studies.md says what all means.
_base_ = ['{base}']
# Steps instead of epochs, an exact resume, and no look at validation data.
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters={steps}, val_interval={steps})
{optim_wrapper}param_scheduler = [
    dict(
        type='OneCycleLR', eta_max={lr}, total_steps={steps}, pct_start=0.25, by_epoch=False
    )
]
train_dataloader = dict(sampler=dict(_delete_=True, type='sacm_mm.ReplayedInfiniteSampler'))
val_dataloader = None
val_cfg = None
val_evaluator = None
visualizer = dict({visualizer}vis_backends=[dict(type='LocalVisBackend')])
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(
        _delete_=True,
        type='sacm_mm.CheckpointHook',
        by_epoch=False,
        interval=100,
        max_keep_ckpts=1,
    ),
)
custom_hooks = [
    dict(type='sacm_mm.ProgressBarHook'),
    dict(type='sacm_mm.SeedStepsHook'),
    dict(type='sacm_mm.KeepSamplesHook', num_images=5),
]
study = dict(
    title='Backbones on {title}',
    about='Say here what is compared, and how to read it.',
    metric='{metric}',
    metric_name='{metric_name}',
    unit='{unit}',
    higher_is_better={higher},
    size={size},  # height and width that costs are counted at
    seeds=(0,),
    networks={networks},
)
budgets = dict(
    full=dict(steps={steps}),
    laptop=dict(steps=300),
    tiny=dict(steps=20),  # a look at the machinery
)
"""
_ADAMW = """\
# Muon is made for the square matrices of isotropic networks: others would have its rates without it
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr={lr}, weight_decay=0.05)
)
"""
_VISUALIZERS = {'mmpretrain': 'UniversalVisualizer', 'mmseg': 'SegLocalVisualizer'}


def new_study(config: str, backbones: Sequence[str], out: Path | None = None) -> Path:
    """Write a study and check that every network of it builds.

    Args:
        config: A config, the name of one of ours, or the folder of a data set with its config.
        backbones: As ``find_backbone`` takes them.
        out: File to write; by default ``<name of the config>_study.py`` in this folder.

    Raises:
        UserError: The file exists, the config has no evaluator that is known, or a backbone does
            not fit; nothing is left then.
    """
    path = find_config(config)
    out = out or Path(f'{path.stem}_study.py')
    if out.exists():
        raise UserError(f"'{out}' exists and is not overwritten: choose another name with --out")
    text = _text(path, backbones, out)
    with atomic_write(out) as partial:
        partial.write_text(text, encoding='utf-8')
        study = load_study(str(partial))
        for network in study.networks.values():
            study.expand(network, 0)
    return out


def _text(path: Path, backbones: Sequence[str], out: Path) -> str:
    from sacm_mm.swap.swapping import image_size

    cfg = read_config(path)
    metric, metric_name, unit, higher = _metric(cfg, path)
    names = [_name(backbone) for backbone in backbones]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"two backbones would be called '{twice[0]}': give one of them alone")
    networks = ''.join(
        f'        {name!r}: dict(label={backbone.rpartition(":")[2]!r}, backbone={backbone!r}),\n'
        for name, backbone in zip(names, backbones)
    )
    scope = cfg.get('default_scope', 'mmengine')
    own = _VISUALIZERS.get(scope, 'Visualizer')
    visualizer = '' if cfg.get('visualizer') else f"_delete_=True, type='{own}', "
    base = Path(os.path.relpath(path.absolute(), out.absolute().parent)).as_posix()
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    is_muon = kind_of(optimizer) == 'Muon'
    lr = _LR if is_muon else optimizer.get('lr', _LR)
    return _TEXT.format(
        optim_wrapper=_ADAMW.format(lr=lr) if is_muon else '',
        config=path.name,
        base=base.replace("'", "\\'"),
        steps=_STEPS,
        lr=lr,
        visualizer=visualizer,
        title=path.stem.replace("'", ''),
        metric=metric,
        metric_name=metric_name,
        unit=unit,
        higher=higher,
        size=image_size(cfg),
        networks=f'{{\n{networks}    }}',
    )


def _name(backbone: str) -> str:
    return re.sub(r'[^a-z0-9.+-]+', '-', backbone.rpartition(':')[2].lower()).strip('-.+')


def _metric(cfg: Mapping[str, Any], path: Path) -> tuple[str, str, str, bool]:
    for evaluator in as_list(cfg.get('test_evaluator')):
        kind = kind_of(evaluator)
        if kind in _METRICS:
            key, name, unit, higher = _METRICS[kind]
            protocol = evaluator.get('protocol', '')
            protocol = protocol if isinstance(protocol, str) else protocol[0]
            return key.format(protocol=protocol).lstrip('/'), name, unit, higher
    raise UserError(
        f"'{path}' has no test_evaluator of {', '.join(_METRICS)}: a study needs a figure"
    )
