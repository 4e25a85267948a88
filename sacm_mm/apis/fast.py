"""What ``tools/train.py --fast`` picks for the machine it runs on."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config

from sacm_mm.core.configs import put_hook
from sacm_mm.core.errors import UserError
from sacm_mm.core.machine import cpu_has_bfloat16

# those whose ``fused`` implementation PyTorch has for CPUs and GPUs
_FUSED_OPTIMIZERS = ('Adam', 'AdamW', 'SGD')


# what mixed precision can be put into, and what is it already
_PLAIN = ('OptimWrapper', 'mmengine.OptimWrapper')
_AMP = ('AmpOptimWrapper', 'mmengine.AmpOptimWrapper', 'sacm_mm.BFloat16OptimWrapper')


def use_amp(cfg: Config) -> str:
    """Train in mixed precision, and say which: float16 on a GPU, bfloat16 on a CPU that has it.

    Others only emulate bfloat16, many times slower than float32, and train in float32.

    Raises:
        UserError: The config has a wrapper of its own for its optimizer.
    """
    gpu, bfloat16 = torch.cuda.is_available(), cpu_has_bfloat16()
    for wrapper in optim_wrappers(cfg):
        kind = wrapper.get('type', 'OptimWrapper')
        if kind not in _PLAIN + _AMP:
            raise UserError(
                f"the config's optim_wrapper is a {kind}, which mixed precision cannot be put "
                'into: leave out --amp'
            )
        if gpu and kind in _PLAIN:
            wrapper['type'] = 'AmpOptimWrapper'
            wrapper.setdefault('loss_scale', 'dynamic')
        elif not gpu:
            wrapper['type'] = 'sacm_mm.BFloat16OptimWrapper' if bfloat16 else 'OptimWrapper'
            for key in ('loss_scale', 'dtype', 'use_fsdp'):
                wrapper.pop(key, None)  # of the host's wrapper, which needs a GPU
    if gpu:
        return 'float16'
    return 'bfloat16' if bfloat16 else 'float32, for the processor has no bfloat16'


def optim_wrappers(cfg: Config) -> list[Any]:
    """Return the wrapper of a config's optimizer, or those of its several optimizers."""
    section = cfg.optim_wrapper
    if 'optimizer' in section or 'type' in section:
        return [section]
    return [part for part in section.values() if isinstance(part, dict) and 'optimizer' in part]


def use_fast(cfg: Config) -> list[str]:
    """Set what trains fastest here, where the config leaves it open; results stay within rounding.

    Mixed precision where the processor computes in it, a fused optimiser, and the hook that puts
    kernels into the model, on a GPU with channels-last and ``torch.compile``.

    Returns:
        What was picked, in words.
    """
    gpu = torch.cuda.is_available()
    picked = []
    wrappers = optim_wrappers(cfg)
    kinds = {wrapper.get('type', 'OptimWrapper') for wrapper in wrappers}
    if kinds <= set(_PLAIN):
        if gpu and torch.cuda.is_bf16_supported(including_emulation=False):
            for wrapper in wrappers:
                wrapper['type'] = 'sacm_mm.BFloat16OptimWrapper'
            picked.append('bfloat16')
        elif gpu or cpu_has_bfloat16():
            picked.append(use_amp(cfg))
    elif kinds & {'AmpOptimWrapper', 'mmengine.AmpOptimWrapper'} and not gpu:
        picked.append(use_amp(cfg))  # the host's does not run without one
    for wrapper in wrappers:
        optimizer = wrapper.optimizer
        if optimizer.type in _FUSED_OPTIMIZERS and 'fused' not in optimizer:
            optimizer['fused'] = True
            picked.append(f'fused {optimizer.type}')
    if gpu and cfg.train_dataloader.get('num_workers'):  # what is in the GPU's memory stays there
        cfg.train_dataloader.setdefault('pin_memory', True)
    put_hook(cfg, dict(type='sacm_mm.FastTrainingHook'))
    return picked
