"""Mixed precision that also works without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from sacm_mm.core.machine import cpu_has_bfloat16
from sacm_mm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train under bfloat16 autocast, on a GPU or on a CPU that computes in it.

    bfloat16 has float32's range, so there is no loss scale. The host's ``AmpOptimWrapper`` refuses
    to run without an accelerator. CPUs that only emulate bfloat16, many times slower than float32,
    train in float32.
    """

    _said = False

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Wrap one forward pass."""
        on = next(model.parameters()).device.type != 'cpu' or cpu_has_bfloat16()
        if not on and not self._said:
            print_log('training in float32, for the processor has no bfloat16', 'current')
            self._said = True
        with super().optim_context(model), autocast(enabled=on, dtype=torch.bfloat16):
            yield
