"""Parts that the mixer blocks of SA-ConvMixer can have beyond the paper's."""

from types import MappingProxyType
from typing import Any, ClassVar

import torch
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from sacm_mm.models.batch_norms import affine
from sacm_mm.models.depthwise import DepthwiseConv2d


class RepDepthwise(nn.Module):
    """A depthwise convolution that is trained as a sum of small ones, each with its norm.

    (N, C, H, W) -> (N, C, H, W). In evaluation the sum is one k x k convolution, which ``merged``
    returns. The norms are summed before the block's activation, or there would be no such kernel.

    Source: dilated reparametrisation, Ding et al., "UniRepLKNet", CVPR 2024, section 3.1.

    Args:
        channels: Channels C.
        kernel_size: Width k of the merged kernel, one of ``BRANCHES``.
        dilation: Dilation of the merged kernel; each branch has its own times this.
        norm_cfg: Norm of the branches; only batch norms can be merged.
    """

    # of each branch: kernel and dilation, which fit into k x k
    BRANCHES: ClassVar = MappingProxyType(
        {
            5: ((5, 1), (3, 1), (3, 2)),
            7: ((7, 1), (5, 1), (3, 2), (3, 3)),
            9: ((9, 1), (5, 1), (5, 2), (3, 3), (3, 4)),
        }
    )

    def __init__(self, channels: int, kernel_size: int, dilation: int, norm_cfg: dict) -> None:
        super().__init__()
        self.channels, self.kernel_size, self.dilation = channels, kernel_size, dilation
        branches = self.BRANCHES[kernel_size]
        self.convs: Any = nn.ModuleList(
            DepthwiseConv2d(channels, k, bias=False, dilation=dilation * d) for k, d in branches
        )
        self.norms: Any = nn.ModuleList(build_norm_layer(norm_cfg, channels)[1] for _ in branches)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[0](self.convs[0](x))
        for conv, norm in zip(self.convs[1:], self.norms[1:]):
            y = y + norm(conv(x))
        return y

    @torch.no_grad()
    def merged(self) -> DepthwiseConv2d:
        """Return the one convolution that this computes in evaluation, by batch norms."""
        k = self.kernel_size
        kernel = torch.zeros(self.channels, k, k, dtype=torch.float64)
        bias = torch.zeros(self.channels, dtype=torch.float64)
        for (small, d), conv, norm in zip(self.BRANCHES[k], self.convs, self.norms):
            scale, shift = affine(norm)
            margin = (k - d * (small - 1) - 1) // 2
            taps = slice(margin, k - margin, d)
            kernel[:, taps, taps] += (conv.weight[:, 0].double() * scale.view(-1, 1, 1)).cpu()
            bias += shift.cpu()
        one = DepthwiseConv2d(self.channels, k, dilation=self.dilation).double()
        one.load_state_dict({'weight': kernel[:, None], 'bias': bias})
        like = next(self.parameters())
        return one.to(like.device, like.dtype).train(self.training)


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the whole map holds: the one global path of a block.

    (N, C, H, W) -> (N, C, H, W). Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
        return x * self.expand(self.act(self.reduce(mean))).sigmoid()
