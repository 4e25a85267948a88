"""Names for the hosts' backbones, from their classes' arch tables and from their stock configs."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from sacm_mm.core.configs import host_config_folder, read_config
from sacm_mm.swap.dry_run import argument_of, class_of

# where the class's name and the field's differ
_USUAL = {
    'visiontransformer': 'vit',
    'distilledvisiontransformer': 'deit',
    'revvisiontransformer': 'revvit',
    'swintransformerv2': 'swin-v2',
}
# what classifiers get as a vector or as tokens, as a map
_AS_MAPS = {'gap_before_final_norm': False, 'gap_before_output': False, 'reshape_last_feat': True}
_NOT_A_BACKBONE = re.compile(r'\d.*|.*\.py|.*-pre|sd|scnn|pascal|lraspp|coco.*|voc.*')


def stock_names() -> list[str]:
    """List the names of the hosts' backbones, the longest of those that mean the same."""
    longest: dict[str, str] = {}
    for name, cfg in sorted(_classes().items(), key=lambda item: len(item[0])):
        table = _table(class_of(cfg['type'], 'mmpretrain'))
        arch = cfg.get('arch', cfg.get('depth'))  # aliases share one entry of the table
        longest[f'{cfg["type"]} {id(table[arch]) if arch is not None else ""}'] = name
    names = set(longest.values())
    return [*(f'mmpretrain:{name}' for name in _classes() if name in names), *_mmseg_files()]


def stock_backbone(name: str) -> dict | None:
    """Find a stock backbone by name, without choosing its maps; None where there is none.

    Raises:
        UserError: Its stock config does not load.
    """
    host, _, rest = name.partition(':')
    if host == 'mmpretrain' and rest in _classes():
        return dict(_classes()[rest])
    if name in _mmseg_files():
        return dict(read_config(_mmseg_files()[name]).model.backbone)
    return None


@cache
def _classes() -> dict[str, dict]:
    """Every class of ``mmpretrain.models.backbones`` with each entry of its arch table."""
    package = importlib.import_module('mmpretrain.models.backbones')
    found: dict[str, dict] = {}
    for cls in vars(package).values():
        if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
            continue
        if cls.__name__.startswith(('Sparse', 'TIMM')):  # sparse ones are for pre-training only
            continue
        base: dict[str, Any] = dict(type=f'mmpretrain.{cls.__name__}')
        base.update({key: value for key, value in _AS_MAPS.items() if argument_of(cls, key)})
        if 'featmap' in getattr(cls, 'OUT_TYPES', ()):
            base['out_type'] = 'featmap'
        name = _short(cls.__name__)
        table = _table(cls)
        if table:
            key = 'depth' if argument_of(cls, 'depth') else 'arch'
            prefix = f'{name}_'
            for arch in table:
                short = str(arch).removeprefix(prefix).replace('/', '-')
                found[f'{name}/{short}'] = dict(base, **{key: arch})
        elif not _needed(cls):
            found[name] = base
    return found


def _table(cls: type | None) -> dict:
    table = getattr(cls, 'arch_settings', None) or getattr(cls, 'arch_zoo', None)
    return table if isinstance(table, dict) else {}


def takes(cfg: Mapping, name: str, scope: str = 'mmengine') -> bool:
    """Whether the class of a backbone config has an argument ``name``."""
    return argument_of(class_of(cfg['type'], scope), name) is not None


def _needed(cls: type) -> bool:
    parameters = list(inspect.signature(cls).parameters.values())
    return any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


def _short(class_name: str) -> str:
    lower = class_name.lower().replace('_', '-')
    return _USUAL.get(lower, lower.removesuffix('transformer'))


@cache
def _mmseg_files() -> dict[str, Path]:
    """Read mmsegmentation's file names, METHOD_BACKBONE_SCHEDULE_DATASET.py."""
    folders = {folder.name for folder in host_config_folder('mmseg').iterdir()}
    found: dict[str, Path] = {}
    for path in sorted(host_config_folder('mmseg').glob('[!_]*/*_*_*.py')):
        name = path.name.split('_')[1]
        if name and name not in folders and not _NOT_A_BACKBONE.fullmatch(name):
            found.setdefault(f'mmseg:{name}', path)
    return found
