"""Whether a model trains and predicts, on random data."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from sacm_mm.core.configs import change_dicts
from sacm_mm.core.errors import UserError
from sacm_mm.swap.dry_run import build_part, quiet, reason
from sacm_mm.swap.random_samples import random_samples
from sacm_mm.swap.swapping import image_channels

SIZES = (128, 224, 384)
BATCH = 2
# of a detector's boxes: whether it runs does not depend on how many it refines
_FEW = {'num': 32, 'max_per_img': 100}


@dataclass(frozen=True)
class Verdict:
    """How a check ended; ``reason`` says why where it failed."""

    works: bool
    loss: float = float('nan')
    parameters: int = 0
    size: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    reason: str = ''

    def __str__(self) -> str:
        if not self.works:
            return f'does not run: {self.reason}'
        return (
            f'runs: loss {self.loss:.3f}, gradients finite, predicts; '
            f'{self.parameters / 1e6:.2f} M parameters, images of '
            f'{self.size[0]}x{self.size[1]}, {self.seconds:.1f} s'
        )


def check_config(cfg: Mapping, sizes: Sequence[int | tuple[int, int]] = SIZES) -> Verdict:
    """Build a config's model without pretrained weights; run a loss, a backward pass, a prediction.

    Args:
        cfg: A config of mmsegmentation, mmpretrain or mmdetection.
        sizes: Image sizes in pixels, tried in turn until one runs: some networks take one only. The
            reason is that of the last.
    """
    scope = cfg.get('default_scope') or 'mmengine'
    start = time.perf_counter()
    try:
        part = change_dicts(cfg['model'], _with_few) if scope == 'mmdet' else cfg['model']
        model = build_part(part, scope, device='cpu')
    except UserError as error:
        return Verdict(False, reason=str(error))
    if scope == 'mmpretrain' and getattr(model, 'head', None) is None:
        return Verdict(False, reason='it has no head, and so no loss')
    channels = image_channels(cfg)
    loader = cfg.get('train_dataloader')
    masks = loader is None or "'with_mask': True" in str(loader)
    why = ''
    for size in sizes:
        height, width = (size, size) if isinstance(size, int) else size
        try:
            with quiet(), DefaultScope.overwrite_default_scope(scope):
                loss = _run(model, scope, (channels, height, width), masks)
        except Exception as error:  # a model may fail in any way
            why = reason(error)
            continue
        return Verdict(
            True,
            loss,
            sum(p.numel() for p in model.parameters()),
            (height, width),
            time.perf_counter() - start,
        )
    return Verdict(False, reason=why)


def _with_few(part: dict) -> dict:
    # what a detector does to a batch may make it large again
    return {key: value for key, value in part.items() if key != 'batch_augments'} | {
        key: min(part[key], most) for key, most in _FEW.items() if isinstance(part.get(key), int)
    }


def _run(model: Any, scope: str, shape: tuple[int, int, int], masks: bool) -> float:
    torch.manual_seed(0)
    model.init_weights()  # some parameters are left unset until then
    detects = scope == 'mmdet'
    images = torch.randint(256, (BATCH, *shape)) if detects else torch.randn(BATCH, *shape)
    samples = random_samples(scope, model, BATCH, *shape[1:], masks)
    batch = dict(inputs=images, data_samples=copy.deepcopy(samples))
    if detects:  # some read what the runner notes, others what the preprocessor adds to the truth
        MessageHub.get_current_instance().update_info_dict(dict(epoch=0, iter=0))
        batch = model.data_preprocessor(batch | dict(inputs=list(images)), training=True)
    model.train().zero_grad()
    total, _ = model.parse_losses(model(**batch, mode='loss'))
    total.backward()
    _check_finite(model, total)
    model.eval()
    with torch.no_grad():
        if detects:  # some take one image at a time
            pairs = zip(images, samples)
            batches = [dict(inputs=[image], data_samples=[sample]) for image, sample in pairs]
            predictions = [model.test_step(batch)[0] for batch in batches]
        else:
            predictions = model(images, samples, mode='predict')
    _check_predictions(predictions, scope, *shape[1:])
    return float(total)


def _check_finite(model: nn.Module, loss: Tensor) -> None:
    if not loss.isfinite():
        raise UserError(f'the loss is {float(loss)}')
    gradients = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    wrong = [name for name, grad in gradients if not grad.isfinite().all()]
    if wrong or not gradients:
        raise UserError(f'gradients are not finite: {", ".join(wrong[:3]) or "there are none"}')
    # zeros do: some heads begin with zero weights
    trained = any(
        p.requires_grad for name, p in model.named_parameters() if name.startswith('backbone.')
    )
    if trained and not any(name.startswith('backbone.') for name, _ in gradients):
        raise UserError('no gradient reaches the backbone')


def _check_predictions(predictions: Any, scope: str, height: int, width: int) -> None:
    if len(predictions) != BATCH:
        raise UserError(f'{len(predictions)} predictions for {BATCH} images')
    for sample in predictions:
        if scope == 'mmdet':
            if 'pred_instances' not in sample and 'pred_panoptic_seg' not in sample:
                raise UserError('a prediction without instances')
        elif scope != 'mmpretrain':
            found = sample.pred_depth_map if 'pred_depth_map' in sample else sample.pred_sem_seg
            if found.data.shape[-2:] != (height, width):
                raise UserError(f'a prediction of {tuple(found.data.shape)} for {height}x{width}')
