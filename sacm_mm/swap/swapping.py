"""Put a backbone into a config."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from sacm_mm.core.configs import as_list
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.meta import leaves
from sacm_mm.swap.adapter import adapter_for
from sacm_mm.swap.dry_run import build_part, class_of
from sacm_mm.swap.feature_info import FeatureInfo, feature_info
from sacm_mm.swap.foreign import TYPE as FOREIGN
from sacm_mm.swap.foreign import notes
from sacm_mm.swap.hosts import takes
from sacm_mm.swap.leftovers import remove_leftovers
from sacm_mm.swap.names import find_backbone, scoped
from sacm_mm.swap.needs import Needs, default_of, needs_of
from sacm_mm.swap.record import describe_changes, record, restored
from sacm_mm.swap.registered import as_backbone

_POOLING = 'GlobalAveragePooling'


def swap_backbone(cfg: Config, backbone: str | Mapping | Path) -> Config:
    """Put a backbone into a config of segmentation, classification or detection.

    The new config trains with the hosts' own tools. It keeps what is replaced under
    ``swapped_from``: swapping again starts from the config that was swapped first, and swapping its
    own backbone in gives that config back.

    Args:
        cfg: Any config with ``model.backbone``; it is left as it is.
        backbone: A name, a file or a dict, see ``find_backbone``.

    Raises:
        UserError: There is no such backbone, or the config's model cannot take another one; the
            message has the reason.
    """
    original = restored(cfg)
    scope = original.get('default_scope') or 'mmengine'
    old = _old_backbone(original)
    channels, size = image_channels(original), image_size(original)
    new = find_backbone(backbone, size, channels)
    if scoped(new, scope) == scoped(old.to_dict(), scope):
        return original
    new = as_backbone(new, scope, size, channels)
    _check_size(new, original, scope)
    if channels != 3 and takes(new, 'in_channels', scope):
        new.setdefault('in_channels', channels)
    needs = needs_of(original.model, scope, size, channels)
    maps, new_model = feature_info(new, scope)
    swapped = copy.deepcopy(original)
    _join(swapped, new, needs, maps, scope)
    old_names = [name for name, _ in build_part(old, scope).named_parameters()]
    remove_leftovers(swapped, old, old_names, [name for name, _ in new_model.named_parameters()])
    _import_what_is_used(swapped)
    if new['type'] == FOREIGN:
        # layers after the last that is read get no gradient, which several GPUs have to know
        swapped.find_unused_parameters = True
    build_part(swapped.model, scope)  # heads may need what is not installed
    return record(original, swapped)


def swap_for_training(cfg: Config, backbone: str) -> Config:
    """Swap, and name the default work directory after both, so that runs do not mix."""
    swapped = swap_backbone(cfg, backbone)
    if not swapped.get('work_dir') and cfg.filename:
        name = re.sub(
            r'[^\w.-]+', '-', Path(backbone).stem if backbone.endswith('.py') else backbone
        )
        swapped.work_dir = f'work_dirs/{Path(cfg.filename).stem}_{name[:60]}'
    lines = [*describe_changes(swapped), *(f'note: {x}' for x in notes(swapped.model.backbone))]
    print('\n'.join(lines))
    return swapped


def image_size(cfg: Mapping) -> tuple[int, int]:
    """Find the height and width of the images that a config trains on; 224 where it is silent."""
    for holder in (cfg.get('data_preprocessor'), cfg['model'].get('data_preprocessor'), cfg):
        for key in ('size', 'crop_size'):
            size = (holder or {}).get(key)
            if isinstance(size, (list, tuple)) and len(size) == 2:
                return int(size[0]), int(size[1])
    dataset = next(leaves((cfg.get('train_dataloader') or {}).get('dataset')), {})
    for transform in reversed(dataset.get('pipeline') or ()):  # classifiers have it there
        for key in ('crop_size', 'scale'):
            size = transform.get(key)
            if isinstance(size, int):
                return size, size
            if transform.get('keep_ratio') is False and isinstance(size, (list, tuple)):
                return int(size[1]), int(size[0])
    return 224, 224


def image_channels(cfg: Mapping) -> int:
    """Find the channels of the images that a config trains on."""
    own = cfg['model'].get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    given = (cfg['model'].get('backbone') or {}).get('in_channels')
    return int(given or len(own.get('mean') or ()) or 3)


def _old_backbone(cfg: Config) -> ConfigDict:
    if not isinstance(cfg.get('model'), Mapping):
        raise UserError(f"config '{cfg.filename}' has no model: give a leaf config, not a fragment")
    backbone = cfg.model.get('backbone')
    if not isinstance(backbone, Mapping):
        raise UserError(f'{cfg.model.get("type")} has no backbone to swap')
    return backbone


def _join(cfg: Config, new: dict, needs: Needs, maps: FeatureInfo, scope: str) -> None:
    """Set the backbone and what stands between it and the heads."""
    model = cfg.model
    after = as_list(model.get('neck'))
    sync_bn = _sync_bn(model)
    pools = len(after) == 1 and str(after[0].type).endswith(_POOLING)
    if needs.element == 'vector' or (pools and needs.element == 'map'):
        necks, used = _pooled(model, needs, maps, after, pools)
    else:
        necks, used = adapter_for(needs, maps, sync_bn)
    necks = [*_choose_maps(new, used, maps, scope), *necks]
    if sync_bn and _has_batch_norm(new, scope):
        new['norm_cfg'] = dict(sync_bn)
    model.backbone = ConfigDict(new)
    if necks:
        necks = [*necks, *after]
        model.neck = necks if len(necks) > 1 else necks[0]


def _pooled(
    model: ConfigDict, needs: Needs, maps: FeatureInfo, after: list, pools: bool
) -> tuple[list[dict], list[int]]:
    """Answer a classifier that reads one pooled vector: no stride matters."""
    channels, wanted = maps.channels[-1], needs.channels[-1]
    necks: list[dict[str, Any]] = []
    head = model.get('head')
    if channels != wanted:
        direct = pools or not after  # another neck may have weights of the old width
        if direct and isinstance(head, dict) and head.get('in_channels') == wanted:
            head['in_channels'] = channels
        else:
            necks.append(
                dict(
                    type='sacm_mm.ChannelProjection', in_channels=[channels], out_channels=[wanted]
                )
            )
    if not pools:
        necks.append(dict(type=f'mmpretrain.{_POOLING}'))
    return necks, [len(maps.channels) - 1]


def _choose_maps(new: dict, used: list[int], maps: FeatureInfo, scope: str) -> list[dict]:
    """Let the backbone return the maps that are used and no others, or a neck pick them."""
    if used == list(range(len(maps.strides))):
        return []
    indices = new.get('out_indices', default_of(class_of(new['type'], scope), 'out_indices'))
    if isinstance(indices, (list, tuple)) and len(indices) == len(maps.strides):
        kind = type(indices) if new['type'] == FOREIGN else tuple
        new['out_indices'] = kind(indices[i] for i in used)
        for key in ('out_channels', 'out_strides', 'layouts') if new['type'] == FOREIGN else ():
            if isinstance(new.get(key), list):
                new[key] = [new[key][i] for i in used]
        return []
    return [dict(type='sacm_mm.FeatureForm', predict=list(used), train=list(used))]


def _check_size(new: Mapping, cfg: Mapping, scope: str) -> None:
    """Refuse a network that takes images of one size only, where they have others."""
    fixed = new.get('image_size') if new['type'] == FOREIGN else None
    if not fixed:
        return
    rows, columns = fixed
    name = new['network']['type']
    height, width = image_size(cfg)
    test = cfg['model'].get('test_cfg') or {}
    slides = test.get('mode') == 'slide'
    window = test.get('crop_size') or (height, width)
    if scope == 'mmdet':
        raise UserError(f'{name} takes images of {rows}x{columns} only, and detectors take any')
    if height > rows or width > columns:
        raise UserError(
            f'{name} takes images of {rows}x{columns} only, and the config trains on '
            f'{height}x{width}: choose a config of that size, or build the network for it'
        )
    if scope == 'mmseg' and not (slides and window[0] <= rows and window[1] <= columns):
        raise UserError(
            f'{name} takes images of {rows}x{columns} only: test in windows of that size, '
            f'--cfg-options model.test_cfg.mode=slide model.test_cfg.crop_size="({rows},{columns})"'
            f' model.test_cfg.stride="({rows * 2 // 3},{columns * 2 // 3})"'
        )


def _sync_bn(model: Mapping) -> dict | None:
    for part in (model['backbone'], *as_list(model.get('decode_head'))[:1]):
        norm = part.get('norm_cfg')
        if isinstance(norm, Mapping) and norm.get('type') == 'SyncBN':
            return ConfigDict(norm).to_dict()
    return None


def _has_batch_norm(new: Mapping, scope: str) -> bool:
    if not takes(new, 'norm_cfg', scope):
        return False
    norm = new.get('norm_cfg') or default_of(class_of(new['type'], scope), 'norm_cfg') or {}
    return norm.get('type') == 'BN'


def _import_what_is_used(cfg: Config) -> None:
    """Add to ``custom_imports`` what registers the types that the model uses."""
    modules = {
        'sacm_mm': 'sacm_mm',
        'mmpretrain': 'mmpretrain.models',
        'mmseg': 'mmseg.models',
        'mmdet': 'mmdet.models',
    }
    scope = cfg.get('default_scope')
    text = str({key: cfg.model.get(key) for key in ('backbone', 'neck')})
    needed = [module for host, module in modules.items() if host != scope and f"'{host}." in text]
    if needed and 'sacm_mm' not in needed:  # which does it too
        needed.append('sacm_mm.core.compiled_operators')
    present = as_list((cfg.get('custom_imports') or {}).get('imports'))
    missing = [module for module in needed if module not in present]
    if missing:
        cfg.custom_imports = dict(imports=[*present, *missing], allow_failed_imports=False)
