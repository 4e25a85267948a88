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
from sacm_mm.deploy.runtimes import is_exported
from sacm_mm.engine.fast_testing import check_dtype


def check_running(weights: str, fast: bool, dtype: str, runtime: str | None) -> None:
    """Refuse ways to compute that weights or an exported file do not have.

    Args:
        weights: See ``find_model``.
        fast: By this package's kernels.
        dtype: See ``check_dtype``.
        runtime: See ``load_exported``.
    """
    check_dtype(fast, dtype)
    if runtime is not None and not is_exported(weights):
        raise UserError(f"--runtime runs exported files; '{weights}' is none")
    if dtype != 'float32' and is_exported(weights):
        raise UserError('--dtype is of checkpoints; an exported file has its own: leave it out')


def load_model(
    cfg: Config, weights: str, trust: bool = False, runtime: str | None = None
) -> tuple[nn.Module, dict]:
    """Build a config's model with its weights, or to predict by an exported file.

    It is on the CPU and in eval mode.

    Args:
        cfg: A leaf config.
        weights: Checkpoint file, or a work dir for its latest one; an exported file; or published
            weights that are not converted, for a config of the same task.
        trust: Take a file that runs code, see ``load_checkpoint``.
        runtime: What runs an exported file, see ``load_exported``.

    Returns:
        The model, and the class names and colours of its data; may be empty.

    Raises:
        UserError: The weights are missing or damaged, or are of another model.
    """
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    join_preprocessor(cfg)
    meta: Any = None
    backbone = cfg.model.get('backbone') or {}  # whole models of timm have none
    model: Any
    if is_exported(weights):
        model = exported_model(cfg.model, weights, runtime, trust)
        meta = model.exported.meta
    elif kind_of(backbone) == 'SAConvMixer' and convert.is_published(weights):
        model = _load_published(cfg, weights)
    else:
        path = find_checkpoint(weights)
        cfg.model.train_cfg = None
        model = MODELS.build(cfg.model)
        content = load_checkpoint(path, trust)
        state_dict = state_dict_of(content, path)
        check_weights_of(model, state_dict, path, cfg)
        model.load_state_dict(state_dict, strict=False)
        meta = dataset_meta_of(content)
    return model.eval(), model_meta(cfg, meta)


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
