"""Running statistics of a batch norm, from what a kernel found of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def update(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, values: int) -> None:
    """Move the running statistics towards a batch's, as ``nn.BatchNorm2d`` does.

    Args:
        norm: The norm; in evaluation mode, or where it is told not to, nothing changes.
        mean: The batch's, (C,).
        variance: The batch's biased variance, (C,).
        values: Values a channel.
    """
    if not norm.training or not norm.track_running_stats:
        return
    if norm.running_mean is None or norm.running_var is None:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    weight: Any = norm.momentum
    if weight is None:  # the average of all batches; as a tensor, for which no GPU is waited for
        assert norm.num_batches_tracked is not None
        weight = (1 / norm.num_batches_tracked).to(norm.running_mean.dtype)
    unbiased = variance * (values / (values - 1))
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), weight)
    norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), weight)
