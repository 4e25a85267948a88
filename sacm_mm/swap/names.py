"""Backbones by name: ours, the hosts', timm's."""

from __future__ import annotations

import ast
import copy
import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict

from sacm_mm.core.configs import change_dicts, host_config, read_config
from sacm_mm.core.errors import UserError
from sacm_mm.swap.feature_info import with_every_stride
from sacm_mm.swap.foreign import foreign_backbone, plain_value
from sacm_mm.swap.hosts import stock_backbone, stock_names, takes
from sacm_mm.swap.registered import imports_beside, own_imports, refuse_code, registered_by

# what a stock config says of its backbone's weights and training, not of its shape
_TRAINING_KEYS = ('init_cfg', 'pretrained', 'frozen_stages', 'norm_eval', 'with_cp')


def find_backbone(
    backbone: str | Mapping | Path, size: tuple[int, int] | None = None, channels: int = 3
) -> dict:
    """Turn a name, a file or a dict into a full backbone config.

    Args:
        backbone: One of ours (``'sa-convmixer-d512-l12-k5-p4'``, ``'...-conv'``, ``'convmlp-s'``,
            ``'cs-mixer-t'``), of the hosts' (``'mmpretrain:convnext/tiny'``, ``'mmseg:mit-b0'``),
            of timm's (``'timm:resnet18'``), a ``.py`` file or stock config with ``backbone`` or
            ``model.backbone``, a dict, also written as text, or other people's code, see
            ``foreign_backbone``.
        size: Height and width of the images, for networks that take one size only.
        channels: Channels of the images.

    Returns:
        A config whose ``type`` has its scope, ``'sacm_mm.SAConvMixer'``. Those found by name hand
        on one map a stride, from stride 4 on, or the last one of an isotropic network. No weights
        are loaded.

    Raises:
        UserError: There is none of that name, or it gives no feature maps.
    """
    if isinstance(backbone, Mapping):
        return _plain(backbone)
    name = str(backbone)
    if name.lstrip().startswith(('{', 'dict(')):
        return _plain(_parse(name))
    if name.endswith('.py'):
        return _from_file(name, size, channels)
    return foreign_backbone(name, size, channels) or copy.deepcopy(_named(name))


def backbone_names() -> list[str]:
    """List the names that ``find_backbone`` knows; timm's and further archs of ours come on top."""
    return [*(f'{prefix}-{arch}' for prefix, cls in own_backbones().items() for arch in cls.archs),
            *stock_names()]  # fmt: skip


@cache
def _named(name: str) -> dict:
    if name.startswith('timm:'):
        from sacm_mm.swap.timm import timm_backbone

        return timm_backbone(name.removeprefix('timm:'))
    cfg = _one_of_ours(name) or stock_backbone(name)
    if cfg is None:
        raise UserError(_unknown(name))
    cfg = {key: value for key, value in _plain(cfg).items() if key not in _TRAINING_KEYS}
    try:
        if name.startswith('mmseg:'):
            return scoped(cfg, 'mmseg')  # stock configs choose their maps
        return with_every_stride(cfg, takes(cfg, 'out_indices'))
    except UserError as error:
        raise UserError(f"backbone '{name}': {error}") from error


def own_backbones() -> dict[str, Any]:
    """Every registered backbone of ours; the prefix is made from the class's name."""
    from sacm_mm.registry import MODELS

    MODELS.import_from_location()
    here = 'sacm_mm.models.backbones.'
    classes = [cls for cls in MODELS.module_dict.values() if cls.__module__.startswith(here)]
    # SAConvMixer -> sa-convmixer, CSMixer -> cs-mixer, ConvMLP -> convmlp
    return {
        re.sub('^([A-Z]{2,})(?=[A-Z][a-z])', r'\1-', cls.__name__).lower(): cls for cls in classes
    }


def _one_of_ours(name: str) -> dict | None:
    for prefix, cls in own_backbones().items():
        if name.startswith(f'{prefix}-'):
            try:
                arguments = cls.named(name.removeprefix(f'{prefix}-'))
            except UserError as error:
                raise UserError(f"backbone '{name}': {error}") from error
            return dict(type=f'sacm_mm.{cls.__name__}', **arguments)
    return None


def _from_file(name: str, size: tuple[int, int] | None, channels: int) -> dict:
    path = host_config(name) or Path(name)
    if not path.is_file():
        raise UserError(f"backbone file '{name}' does not exist")
    refuse_code(path)
    with imports_beside(path):
        cfg = read_config(path)
    backbone = cfg.get('backbone') or (cfg.get('model') or {}).get('backbone')
    if not isinstance(backbone, Mapping) or 'type' not in backbone:
        raise UserError(f"'{name}' has neither backbone = dict(type=...) nor model.backbone")
    scope = cfg.get('default_scope') or (name.partition(':')[0] if ':' in name else '')
    plain = scoped(_plain(backbone), scope)
    imports = own_imports(cfg)
    if not imports:
        return plain
    return registered_by(imports, path, plain, size, channels)


def scoped(cfg: Mapping, scope: str) -> dict:
    """Write the scope into every type, so that the config builds anywhere; weights are left out."""
    from mmengine.registry import MODELS

    def with_scope(part: dict) -> dict:
        kind = part.get('type')
        if isinstance(kind, str) and '.' not in kind and scope:
            host = next((c for c in MODELS.children.values() if c.scope == scope), None)
            if host is not None and kind in host.module_dict:
                part['type'] = f'{scope}.{kind}'
        return part

    kept = {k: value for k, value in cfg.items() if k not in ('init_cfg', 'pretrained')}
    result = change_dicts(kept, with_scope)
    if isinstance(result.get('norm_cfg'), dict) and result['norm_cfg'].get('type') == 'SyncBN':
        result['norm_cfg'] = dict(result['norm_cfg'], type='BN')  # that config's way of training
    return result


def _plain(cfg: Mapping) -> dict:
    plain = ConfigDict(cfg).to_dict()
    if not isinstance(plain.get('type'), str):
        raise UserError(f"a backbone dict has a 'type', such as 'sacm_mm.SAConvMixer': {plain}")
    return plain


def _parse(text: str) -> Mapping:
    try:
        call = ast.parse(text.strip(), mode='eval').body
        if isinstance(call, ast.Call):
            return {str(k.arg): plain_value(k.value) for k in call.keywords}
        return plain_value(call)
    except (SyntaxError, ValueError) as error:
        raise UserError(f"backbone '{text}' is no dict of plain values: {error}") from error


def _unknown(name: str) -> str:
    known = backbone_names()
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if ':' not in name:  # convnext/tiny, resnet18
        tails = {known_name.partition(':')[2] or known_name: known_name for known_name in known}
        near += [tails[t] for t in difflib.get_close_matches(name, tails, n=3, cutoff=0.5)]
    near = list(dict.fromkeys(near)) or ['sa-convmixer-d512-l12-k5-p4', 'mmpretrain:convnext/tiny']
    return f"unknown backbone '{name}': did you mean {', '.join(near[:4])}? --list shows all"
