"""Export in 8 bits: calibrated on training pictures, kept only if it is as good on the val set."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import nn

from sacm_mm.apis.predictor import Model
from sacm_mm.apis.test import test
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable_file, write_text
from sacm_mm.deploy.exporting import atomic_export, export
from sacm_mm.deploy.quantizing import check_quantizable, quantize
from sacm_mm.deploy.samples import picture_in

# figures that count, how much they may lose, and whether that is a share of the figure
_ALLOWED = {
    'mIoU': (0.5, False),
    'accuracy/top1': (0.5, False),
    'abs_rel': (0.02, True),
}


def export_int8(
    model: nn.Module,
    cfg: Config,
    weights: str,
    out: str | Path,
    meta: Mapping[str, Any],
    count: int = 100,
    allow_loss: bool = False,
    trust: bool = False,
) -> list[str]:
    """Write a model in 8 bits and compare it with the checkpoint on the config's val set.

    Args:
        model: The model, on the CPU.
        cfg: Its config, with training and validation data.
        weights: Its checkpoint.
        out: File to write, .onnx or .xml.
        meta: See ``describe``.
        count: Training pictures to calibrate on.
        allow_loss: Keep a file that loses too much.
        trust: See ``load_checkpoint``.

    Returns:
        A line for each figure that was compared.

    Raises:
        UserError: NNCF is missing, there are no pictures, or the file loses more than 0.5 points
            (depth: 2 % of abs rel); then nothing is left.
    """
    out = Path(out)
    check_quantizable(out)
    check_writable_file(out)
    scored = cfg.get('val_dataloader') is not None and cfg.get('val_evaluator') is not None
    if not scored and not allow_loss:
        raise UserError(
            'the config has no validation data to compare on: give --allow-loss to export without'
        )
    inputs = calibration_inputs(Model(model, cfg, {}), cfg, count)
    with tempfile.TemporaryDirectory() as folder, atomic_export(out) as partial:
        plain = Path(folder, 'float.onnx')
        export(model, plain, meta=dict(meta, int8=True))
        quantize(plain, partial, inputs)
        if not scored:
            return []
        before = _figures_on_val(cfg, weights, Path(folder, 'checkpoint'), trust)
        after = _figures_on_val(cfg, str(partial), Path(folder, 'int8'), trust)
        return _compared(before, after, allow_loss)


def calibration_inputs(model: Model, cfg: Config, count: int) -> list[np.ndarray]:
    """Bring training pictures, spread over the set, to what the network takes, (1, C, H, W).

    Raises:
        UserError: There are none.
    """
    section: Any = (cfg.get('train_dataloader') or {}).get('dataset')
    try:
        with DATASETS.switch_scope_and_registry(cfg.get('default_scope')) as registry:
            dataset: Any = registry.build(section) if section is not None else ()
    except (OSError, ValueError) as error:
        raise UserError(f'the training pictures to calibrate on cannot be read: {error}') from error
    total = len(dataset)
    if not total:
        raise UserError(
            'there are no training pictures to calibrate on: see the train_dataloader of the config'
        )
    infos = [dataset.get_data_info(i) for i in sorted({i * total // count for i in range(count)})]
    images = (info['img_path'] if 'img_path' in info else picture_in(info, cfg) for info in infos)
    return [model.normalized(model.prepare(image)) for image in images]


def _figures_on_val(cfg: Config, file: str, folder: Path, trust: bool) -> dict[str, float]:
    cfg = copy.deepcopy(cfg)
    cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
    cfg.test_cfg = cfg.get('test_cfg') or {}
    folder.mkdir()
    # its own name: what is published there is not the config's
    config = Path(folder, 'config.py')
    write_text(cfg.pretty_text, config)
    return test(Config.fromfile(config), file, work_dir=folder, trust=trust)


def _compared(
    before: Mapping[str, float], after: Mapping[str, float], allow_loss: bool
) -> list[str]:
    lines: list[str] = []
    refused: list[str] = []
    for name in before:
        # depth has its protocol in front: nyu_eigen/abs_rel
        known = next((key for key in _ALLOWED if f'/{name}'.endswith(f'/{key}')), None)
        if known is None:
            continue
        allowed, relative = _ALLOWED[known]
        loss = after[name] - before[name] if relative else before[name] - after[name]
        if relative:
            loss /= max(before[name], 1e-9)
        lines.append(f'{name} on the val set: {before[name]:.4g}, in 8 bits {after[name]:.4g}')
        if not loss <= allowed:  # also NaN
            lost = f'{loss:.1%} of' if relative else f'{loss:.2f} points of'
            refused.append(f'it loses {lost} {name}')
    if not lines:
        refused.append(f'none of {", ".join(_ALLOWED)} is measured on the val set')
    if refused and not allow_loss:
        raise UserError(
            f'export in 8 bits refused: {"; ".join(refused)}. --calibrate more pictures, or give '
            '--allow-loss'
        )
    return lines
