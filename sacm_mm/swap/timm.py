"""timm's backbones, through mmpretrain's wrapper."""

from __future__ import annotations

from typing import Any, cast

from sacm_mm.core.errors import UserError, did_you_mean
from sacm_mm.swap.feature_info import feature_info, last_of_each_stride


def timm_backbone(name: str) -> dict:
    """Turn a timm name into a config of ``mmpretrain.TIMMBackbone``; no weights are loaded.

    Raises:
        UserError: timm is not installed, has no such model, or the model offers no feature maps.
    """
    try:
        import timm
    except ImportError as error:
        raise UserError(f"backbone 'timm:{name}' needs timm: pip install timm") from error
    if not timm.is_model(name):
        otherwise = 'timm.list_models() lists them'
        hint = did_you_mean(name, timm.list_models(), otherwise, prefix='timm:')
        raise UserError(f"timm has no model '{name}': {hint}")
    base = dict(type='mmpretrain.TIMMBackbone', model_name=name, features_only=True)
    reasons = []
    # the getter asks for (N, C, H, W) where the default gives the layers' own (N, H, W, C)
    for extra in ({}, {'feature_cls': 'getter'}):
        try:
            cfg = dict(base, **extra)
            maps, model = feature_info(cfg)
            info = cast(Any, model.timm_model).feature_info
            if maps.channels == tuple(info.channels()):
                indices = [info.out_indices[i] for i in last_of_each_stride(maps.strides)]
                return dict(cfg, out_indices=tuple(indices))
        except UserError as error:
            reasons.append(str(error))
    raise UserError(f"backbone 'timm:{name}' offers no feature maps: {' '.join(reasons)[:300]}")
