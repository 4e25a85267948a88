"""Mixed precision that also works without a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from sacm_mm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train under bfloat16 autocast, on a CPU or a GPU.

    bfloat16 has float32's range, so there is no loss scale. The host's ``AmpOptimWrapper`` refuses
    to run without an accelerator.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Wrap one forward pass."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
