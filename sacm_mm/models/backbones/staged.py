"""What the backbones share: checked indices, freezing from the stem on, checkpointing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sacm_mm.core.errors import UserError

# ``StagedBackbone.run``, which is handed to stages that do not know of checkpointing
RunBlock = Callable[[nn.Module, Tensor], Tensor]


class StagedBackbone(BaseModule):
    """A stem and ``levels`` stages, each of which can be returned or frozen.

    Args:
        levels: Maps to choose ``out_indices`` from, and stages after the stem.
        in_channels: Channels of the image.
        out_indices: Maps that are returned, 0 to levels - 1, negatives from the end.
        frozen_stages: -1 freezes nothing, 0 the stem, n the stem and the first n stages.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        init_cfg: mmengine's.

    Attributes:
        archs: The published architectures, by name.
        small: Arguments of a network that is quick to run, for tests and trials.
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map, in pixels.

    Raises:
        UserError: An index or ``frozen_stages`` is out of range.
    """

    archs: ClassVar[tuple[str, ...]]
    small: ClassVar[Mapping[str, Any]]
    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    def __init__(
        self,
        levels: int,
        in_channels: int,
        out_indices: int | Sequence[int],
        frozen_stages: int,
        with_cp: bool,
        init_cfg: dict | None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        indices = (out_indices,) if isinstance(out_indices, int) else tuple(out_indices)
        if not indices or any(i not in range(-levels, levels) for i in indices):
            raise UserError(
                f'out_indices must lie in {-levels}..{levels - 1} for {levels} maps, '
                f'but got {indices}'
            )
        if frozen_stages not in range(-1, levels + 1):
            raise UserError(
                f'frozen_stages must be -1 (none) to {levels} (all), but got {frozen_stages}'
            )
        self.in_channels = in_channels
        self.out_indices = tuple(i % levels for i in indices)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """Read the part of a backbone's name behind its family's: the arch.

        Raises:
            UserError: There is no such arch.
        """
        if name not in cls.archs:
            raise UserError(f"unknown arch '{name}': choose from {', '.join(cls.archs)}")
        return {'arch': name}

    def stages_from_stem(self) -> list[list[nn.Module]]:
        """List the modules of the stem and of each stage, in the order in which they are frozen."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> 'StagedBackbone':
        """Set the mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        self.freeze()
        return self

    def freeze(self) -> None:
        """Put the frozen stages into evaluation mode, without gradients."""
        for modules in self.stages_from_stem()[: self.frozen_stages + 1]:
            for module in modules:
                module.eval()
                module.requires_grad_(False)

    def check_channels(self, x: Tensor) -> None:
        """Refuse images of another number of channels."""
        if x.shape[1] != self.in_channels:
            raise UserError(
                f'the backbone takes {self.in_channels}-channel images, but got {x.shape[1]} '
                f'channels: set in_channels={x.shape[1]} in the backbone'
            )

    def run(self, block: nn.Module, x: Tensor) -> Tensor:
        """Run one block, with activation checkpointing where that is on."""
        if not (self.with_cp and x.requires_grad):
            return block(x)
        if torch.compiler.is_compiling():  # takes no contexts, and updates buffers once by itself
            return checkpoint(block, x, use_reentrant=False)
        return checkpoint(
            block,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _no_statistics_update(block)),
        )


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """Repeat the right and bottom borders of (N, C, H, W) up to a multiple."""
    h, w = x.shape[2:]
    if h % multiple or w % multiple:
        x = F.pad(x, (0, -w % multiple, 0, -h % multiple), mode='replicate')
    return x


def drop_rates(last: float, blocks: int) -> list[float]:
    """Return the drop path of each block: that of the last one, and linearly less before it.

    Raises:
        UserError: A rate is none.
    """
    if not 0 <= last < 1:  # the host's DropPath takes any, and does something else then
        raise UserError(f'drop_path_rate must be 0 or more and less than 1, but got {last}')
    return np.linspace(0, last, blocks).tolist()


@contextmanager
def _no_statistics_update(module: nn.Module) -> Iterator[None]:
    """Keep batch norms from counting a batch twice while checkpointing recomputes it."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    # Copied, not counted back: the second pass ends at the last operator that saves a tensor, and
    # kernels may count after it.
    counts = [norm.num_batches_tracked for norm in norms]
    kept = [None if count is None else count.clone() for count in counts]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count, before in zip(norms, momenta, counts, kept):
            norm.momentum = momentum
            if count is not None and before is not None:
                count.copy_(before)
