"""ConvMLP: a convolutional tokenizer and stage, then stages of channel MLPs.

Source: Li, Hassani, Walton and Shi, "ConvMLP: Hierarchical Convolutional MLPs for Vision",
arXiv 2109.04454. The modules have the names of the published files, so that these load as they are.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from mmcv.cnn import build_norm_layer
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from sacm_mm.models.backbones.arch import read_arch
from sacm_mm.models.backbones.staged import RunBlock, StagedBackbone, drop_rates
from sacm_mm.models.defaults import BATCH_NORM
from sacm_mm.models.depthwise import DepthwiseConv2d
from sacm_mm.registry import MODELS

# channels of the tokenizer, blocks of the convolutional and of each MLP stage, widths and hidden
# ratio of the MLP stages
ARCHS: Mapping[str, Mapping] = MappingProxyType(
    {
        's': dict(channels=64, conv_blocks=2, blocks=(2, 4, 2), dims=(128, 256, 512), mlp_ratio=2),
        'm': dict(channels=64, conv_blocks=3, blocks=(3, 6, 3), dims=(128, 256, 512), mlp_ratio=3),
        'l': dict(channels=96, conv_blocks=3, blocks=(4, 8, 3), dims=(192, 384, 768), mlp_ratio=3),
    }
)


def _conv_norm_relu(
    in_channels: int, out_channels: int, kernel_size: int, norm_cfg: dict, stride: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
        ),
        build_norm_layer(norm_cfg, out_channels)[1],
        nn.ReLU(inplace=True),
    ]


class Tokenizer(nn.Module):
    """Three convolutions and a max-pool: (N, in_channels, H, W) -> (N, channels, H / 4, W / 4)."""

    def __init__(self, in_channels: int, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *_conv_norm_relu(in_channels, channels // 2, 3, norm_cfg, stride=2),
            *_conv_norm_relu(channels // 2, channels // 2, 3, norm_cfg),
            *_conv_norm_relu(channels // 2, channels, 3, norm_cfg),
            nn.MaxPool2d(3, stride=2, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class Bottleneck(nn.Sequential):
    """A residual block whose last ReLU comes before the sum: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int, hidden: int, norm_cfg: dict) -> None:
        super().__init__(
            *_conv_norm_relu(channels, hidden, 1, norm_cfg),
            *_conv_norm_relu(hidden, hidden, 3, norm_cfg),
            *_conv_norm_relu(hidden, channels, 1, norm_cfg),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


class ConvStage(nn.Module):
    """Bottlenecks and a downsampling: (N, C, H, W) -> (N, D, ceil(H / 2), ceil(W / 2))."""

    def __init__(self, channels: int, out_channels: int, blocks: int, norm_cfg: dict) -> None:
        super().__init__()
        self.conv_blocks = nn.ModuleList(
            Bottleneck(channels, out_channels, norm_cfg) for _ in range(blocks)
        )
        self.downsample = nn.Conv2d(channels, out_channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, run: RunBlock) -> Tensor:
        for block in self.conv_blocks:
            x = run(block, x)
        return self.downsample(x)


class ChannelMLP(nn.Module):
    """Linear, GELU, linear over the last dimension."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class ConvMLPBlock(nn.Module):
    """Two channel MLPs and a depthwise convolution between: (N, H, W, C) -> (N, H, W, C).

    The convolution stands on the main path, with no residual.
    """

    def __init__(self, dim: int, mlp_ratio: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.channel_mlp1 = ChannelMLP(dim, dim * mlp_ratio)
        self.connect_norm = nn.LayerNorm(dim)
        self.connect = DepthwiseConv2d(dim, 3, bias=False)
        self.norm2 = nn.LayerNorm(dim)
        self.channel_mlp2 = ChannelMLP(dim, dim * mlp_ratio)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.channel_mlp1(self.norm1(x)))
        x = self.connect_norm(x).permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
        x = self.connect(x).permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
        return x + self.drop_path(self.channel_mlp2(self.norm2(x)))


class Downsample(nn.Module):
    """A 3x3 convolution of stride 2: (N, H, W, C) -> (N, ceil(H / 2), ceil(W / 2), D)."""

    def __init__(self, dim: int, out_dim: int) -> None:
        super().__init__()
        self.downsample = nn.Conv2d(dim, out_dim, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class MLPStage(nn.Module):
    """Blocks and, but for the last stage, a downsampling.

    (N, H, W, C) -> (N, ceil(H / 2), ceil(W / 2), D), in the last stage (N, H, W, C).
    """

    def __init__(
        self, dim: int, out_dim: int | None, mlp_ratio: int, rates: Sequence[float]
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvMLPBlock(dim, mlp_ratio, rate) for rate in rates)
        self.downsample_mlp = Downsample(dim, out_dim) if out_dim else nn.Identity()

    def forward(self, x: Tensor, run: RunBlock) -> Tensor:
        for block in self.blocks:
            x = run(block, x)
        return self.downsample_mlp(x)


@MODELS.register_module()
class ConvMLP(StagedBackbone):
    """The ConvMLP backbone.

    (N, in_channels, H, W) -> up to four maps (N, C, ceil(H / s), ceil(W / s)) of the strides
    s = 4, 8, 16, 32: the outputs of the tokenizer, the convolutional stage, the first and the third
    MLP stage, each with the downsampling that follows it. The second MLP stage only feeds the
    third.

    Source: the paper; freezing and checkpointing are ours.

    Args:
        arch: ``'s'``, ``'m'``, ``'l'`` or a dict like those in ``ARCHS``.
        in_channels: Channels of the image.
        out_indices: Maps that are returned, 0 to 3, negatives from the end.
        out_norm: Whether the last map ends in the classifier's layer norm; the published dense
            models do without.
        frozen_stages: -1 freezes nothing, 0 the tokenizer, 1 the convolutional stage too, 2 to 4
            the MLP stages too.
        drop_path_rate: Drop path of the last block of each MLP stage; earlier ones of the stage get
            linearly less.
        norm_cfg: Norms of the convolutional parts.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        init_cfg: mmengine's, for instance ``dict(type='Pretrained', checkpoint=...)``; a published
            file is loaded without its classifier.

    Attributes:
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map, in pixels.

    Raises:
        UserError: The arch or an index is unknown; or, in ``forward``, the image has other
            channels.
    """

    archs = tuple(ARCHS)
    small = MappingProxyType(
        {'arch': dict(channels=8, conv_blocks=1, blocks=(1, 2, 1), dims=(12, 16, 24), mlp_ratio=2)}
    )

    def __init__(
        self,
        arch: str | Mapping = 's',
        in_channels: int = 3,
        out_indices: int | Sequence[int] = (-1,),
        out_norm: bool = True,
        frozen_stages: int = -1,
        drop_path_rate: float = 0.0,
        norm_cfg: Mapping = BATCH_NORM,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(4, in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        sizes = read_arch(arch, ARCHS)
        channels, dims, mlp_ratio = sizes['channels'], sizes['dims'], sizes['mlp_ratio']
        self.out_channels = tuple((channels, *dims)[i] for i in self.out_indices)
        self.out_strides = tuple((4, 8, 16, 32)[i] for i in self.out_indices)

        norm_cfg = dict(norm_cfg)
        self.tokenizer = Tokenizer(in_channels, channels, norm_cfg)
        self.conv_stages = ConvStage(channels, dims[0], sizes['conv_blocks'], norm_cfg)
        self.stages = nn.ModuleList(
            MLPStage(dim, out_dim, mlp_ratio, drop_rates(drop_path_rate, blocks))
            for dim, out_dim, blocks in zip(dims, (*dims[1:], None), sizes['blocks'])
        )
        self.norm = nn.LayerNorm(dims[-1]) if out_norm else nn.Identity()
        self.freeze()

    def stages_from_stem(self) -> list[list[nn.Module]]:
        first, second, third = self.stages
        return [[self.tokenizer], [self.conv_stages], [first], [second], [third, self.norm]]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        self.check_channels(x)
        first, second, third = self.stages
        # channels last from the start, as the later stages compute: 8 % less time on a CPU
        stride4 = self.tokenizer(x.contiguous(memory_format=torch.channels_last))
        stride8 = self.conv_stages(stride4, self.run)
        x = first(stride8.permute(0, 2, 3, 1), self.run)  # (N, C, H, W) -> (N, H, W, C)
        stride16 = x.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
        x = self.norm(third(second(x, self.run), self.run))
        stride32 = x.permute(0, 3, 1, 2)
        maps = (stride4, stride8, stride16, stride32)
        return tuple(maps[i].contiguous() for i in self.out_indices)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        # A published file also has its classifier's head, and the norm before it.
        unused = ('head.',) if isinstance(self.norm, nn.LayerNorm) else ('head.', 'norm.')
        for key in [key for key in state_dict if key.startswith(prefix)]:
            if key.removeprefix(prefix).startswith(unused):
                del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args)

    @staticmethod
    def _checkpoint_filter(state_dict: dict, prefix: str, *args) -> None:
        # mmpretrain's classifiers call this before they load.
        if f'{prefix}tokenizer.block.0.weight' in state_dict:
            renamed = classifier_state(state_dict)
            state_dict.clear()
            state_dict.update(renamed)


def classifier_state(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published file for mmpretrain's classifier with a linear head."""
    return {
        key.replace('head.', 'head.fc.', 1) if key.startswith('head.') else f'backbone.{key}': value
        for key, value in published.items()
    }
