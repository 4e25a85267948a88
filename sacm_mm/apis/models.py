"""Models with their weights, built from a config."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from sacm_mm import convert
from sacm_mm.apis.find_model import check_weights_of
from sacm_mm.core.checkpoints import (
    dataset_meta_of,
    find_checkpoint,
    load_checkpoint,
    state_dict_of,
)
from sacm_mm.core.configs import join_preprocessor, kind_of
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy.exported_model import exported_model


def load_model(cfg: Config, checkpoint: str, trust: bool = False) -> tuple[nn.Module, dict]:
    """Build a config's model with the weights of a checkpoint, on the CPU and in eval mode.

    Args:
        cfg: A leaf config.
        checkpoint: Checkpoint file, or a work dir for its latest one; or published weights that
            are not converted, for a config of the same task.
        trust: Take a file that runs code, see ``load_checkpoint``.

    Returns:
        The model, and the class names and colours of its data; may be empty.

    Raises:
        UserError: The checkpoint is missing or damaged, or is of another model.
    """
    init_default_scope(cfg.default_scope)
    join_preprocessor(cfg)
    meta: Any = None
    backbone = cfg.model.get('backbone') or {}  # whole models of timm have none
    if kind_of(backbone) == 'SAConvMixer' and convert.is_published(checkpoint):
        model = _load_published(cfg, checkpoint)
    else:
        path = find_checkpoint(checkpoint)
        cfg.model.train_cfg = None
        model = MODELS.build(cfg.model)
        content = load_checkpoint(path, trust)
        weights = state_dict_of(content, path)
        check_weights_of(model, weights, path, cfg)
        model.load_state_dict(weights, strict=False)
        meta = dataset_meta_of(content)
    return model.eval(), model_meta(cfg, meta)


def build_exported(
    cfg: Config, file: str, runtime: str | None = None, trust: bool = False
) -> tuple[nn.Module, dict]:
    """Build a config's model that predicts by an exported file; see ``load_model``."""
    init_default_scope(cfg.default_scope)
    join_preprocessor(cfg)
    model: Any = exported_model(cfg.model, file, runtime, trust)
    return model, model_meta(cfg, model.exported.meta)


def _load_published(cfg: Config, path: str) -> nn.Module:
    """Build what published weights are for, in place of the config's model of the same task."""
    model_cfg, state_dict = convert.load(path)
    kinds = [kind_of(model) for model in (cfg.model, model_cfg)]
    if kinds[0] != kinds[1]:
        raise UserError(
            f"'{path}' holds weights of a {kinds[1]}, but the config describes a {kinds[0]}: "
            'choose a config of that task'
        )
    cfg.model = model_cfg
    model = MODELS.build(cfg.model)
    model.load_state_dict(state_dict, strict=True)
    return model
