"""Other numbers of channels for a head that fits otherwise."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.registry import MODELS


@MODELS.register_module()
class ChannelProjection(BaseModule):
    """A 1x1 convolution for each map whose channels differ from what a head reads.

    Maps (N, in_channels[j], h, w) -> for each level i (N, out_channels[i], h, w).

    Args:
        in_channels: Channels of each input map.
        out_channels: Channels of each level; None for one that nothing reads, which stays as it is.
        in_index: Which input map feeds each level, by default each its own.
        init_cfg: mmengine's.

    Raises:
        UserError: The lists differ in length, or ``forward`` gets another number of maps.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int | None],
        in_index: Sequence[int] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.in_index = tuple(range(len(in_channels)) if in_index is None else in_index)
        if len(self.in_index) != len(out_channels):
            raise UserError(
                f'out_channels has {len(out_channels)} entries for {len(self.in_index)} levels'
            )
        self.num_inputs = len(in_channels)
        self.levels = nn.ModuleList(
            nn.Identity() if channels in (None, in_channels[i])
            else nn.Conv2d(in_channels[i], channels, 1)
            for channels, i in zip(out_channels, self.in_index)
        )  # fmt: skip

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        if len(inputs) != self.num_inputs:
            raise UserError(
                f'the projection takes {self.num_inputs} map(s), but got {len(inputs)}: '
                f'set out_indices of the backbone or in_channels of the neck to match'
            )
        return tuple(level(inputs[i]) for level, i in zip(self.levels, self.in_index))
