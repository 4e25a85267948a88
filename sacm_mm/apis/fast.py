"""What ``tools/train.py --fast`` picks for the machine it runs on."""

from __future__ import annotations

import torch
from mmengine.config import Config

from sacm_mm.core.machine import cpu_has_bfloat16

# those whose ``fused`` implementation PyTorch has for CPUs and GPUs
_FUSED_OPTIMIZERS = ('Adam', 'AdamW', 'SGD')


def use_amp(cfg: Config) -> str:
    """Train in mixed precision, and say which: float16 on a GPU, bfloat16 on a CPU."""
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        return 'float16'
    cfg.optim_wrapper.type = 'sacm_mm.BFloat16OptimWrapper'
    return 'bfloat16'


def use_fast(cfg: Config) -> list[str]:
    """Set what trains fastest here, where the config leaves it open; results stay within rounding.

    Mixed precision where the processor computes in it, a fused optimiser, and the hook that puts
    kernels into the model, on a GPU with channels-last and ``torch.compile``.

    Returns:
        What was picked, in words.
    """
    gpu = torch.cuda.is_available()
    picked = []
    if cfg.optim_wrapper.get('type', 'OptimWrapper') == 'OptimWrapper':
        if gpu and torch.cuda.is_bf16_supported(including_emulation=False):
            cfg.optim_wrapper.type = 'sacm_mm.BFloat16OptimWrapper'
            picked.append('bfloat16')
        elif gpu or cpu_has_bfloat16():
            picked.append(use_amp(cfg))
    optimizer = cfg.optim_wrapper.optimizer
    if optimizer.type in _FUSED_OPTIMIZERS and 'fused' not in optimizer:
        optimizer['fused'] = True
        picked.append(f'fused {optimizer.type}')
    if gpu:
        cfg.train_dataloader.setdefault('pin_memory', True)
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='sacm_mm.FastTrainingHook')]
    return picked
