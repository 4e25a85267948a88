"""SA-ConvMixer: a ConvMixer whose patch embedding is a pixel-unshuffle and a 1x1 convolution.

Source: Ibrahem, Salem and Kang, "Pixel shuffling is all you need", Pattern Recognition 2024,
doi 10.1016/j.patcog.2024.111068. What differs is said at each part.
"""

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch.nn.functional as F
from mmcv.cnn import build_activation_layer, build_norm_layer
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.mixing import RepDepthwise, SqueezeExcite
from sacm_mm.models.backbones.staged import StagedBackbone, drop_rates, pad_to
from sacm_mm.models.defaults import BATCH_NORM, GELU
from sacm_mm.models.depthwise import DepthwiseConv2d
from sacm_mm.registry import MODELS

# The settings that the paper trains; any other name of the same form builds too.
PUBLISHED_ARCHS = (
    'd256-l8-k7-p2',  # CIFAR-10
    'd256-l8-k5-p2',  # CIFAR-10
    'd768-l32-k7-p7',  # ImageNet-1k
    'd1536-l20-k9-p7',  # ImageNet-1k
    'd512-l12-k5-p5',  # VOC2012, Cityscapes segmentation
    'd512-l16-k5-p5',  # ADE20K
    'd256-l12-k5-p5',  # NYUv2 depth
    'd256-l12-k5-p8',  # Cityscapes depth
)


_ARCH_NAME = re.compile(r'd(\d+)-l(\d+)-k(\d+)-p(\d+)(?:-dil([1-9]+))?(-rep)?(-se)?')
_ARCH_KEYS = ('embed_dims', 'depth', 'kernel_size', 'patch_size')
OPTIONS = ('dilations', 'reparam', 'squeeze')
_EMBEDS = ('pixel_unshuffle', 'conv')


def parse_arch(arch: str | Mapping[str, Any]) -> dict[str, Any]:
    """Read an architecture: ``'d512-l12-k5-p5'`` is dim 512, 12 layers, kernel 5, patch 5.

    What may follow is ours, in this order: ``-dil1248`` cycles these dilations of the depthwise
    kernels over the blocks, ``-rep`` trains each kernel as several small ones, ``-se`` gates the
    channels of each block's depthwise half by their mean over the whole map.

    Args:
        arch: Such a name, or a mapping with ``embed_dims``, ``depth``, ``kernel_size`` and
            ``patch_size`` (the keys of ``mmpretrain.ConvMixer``), and where wanted ``dilations``
            (a sequence of integers), ``reparam=True`` and ``squeeze=True``.

    Returns:
        The four sizes, and those options that are on.

    Raises:
        UserError: The name is malformed, a key is missing or unknown, a number is not a positive
            integer, the kernel is even or cannot be reparametrised.
    """
    if isinstance(arch, str):
        match = _ARCH_NAME.fullmatch(arch)
        if not match:
            raise UserError(
                f"unknown arch '{arch}': a name is d<dim>-l<layers>-k<kernel>-p<patch>, then where "
                f'wanted -dil<dilations>, -rep, -se; for example {", ".join(PUBLISHED_ARCHS)}; '
                f'or give a dict with {", ".join(_ARCH_KEYS)}'
            )
        sizes: dict[str, Any] = dict(zip(_ARCH_KEYS, map(int, match.groups()[:4])))
        dilations, reparam, squeeze = match.groups()[4:]
        options = dict(
            dilations=tuple(map(int, dilations or '1')),
            reparam=reparam is not None,
            squeeze=squeeze is not None,
        )
    elif isinstance(arch, Mapping):
        if not set(_ARCH_KEYS) <= set(arch) <= {*_ARCH_KEYS, *OPTIONS}:
            raise UserError(
                f'an arch dict has exactly the keys {", ".join(_ARCH_KEYS)}, and where wanted '
                f'{", ".join(OPTIONS)}, but got {", ".join(sorted(map(str, arch))) or "none"}'
            )
        sizes = {key: arch[key] for key in _ARCH_KEYS}
        options = {key: arch[key] for key in OPTIONS if key in arch}
    else:
        raise UserError(f'arch must be a name or a dict, but got {type(arch).__name__}')
    for key, value in sizes.items():
        if not _is_size(value):
            raise UserError(f'arch {key} must be a positive integer, but got {value!r}')
    if sizes['kernel_size'] % 2 == 0:
        raise UserError(f'arch kernel_size must be odd, but got {sizes["kernel_size"]}')
    return {**sizes, **_checked_options(options, sizes['kernel_size'])}


def _checked_options(options: dict[str, Any], kernel_size: int) -> dict[str, Any]:
    """Return those options that are on; dilations as a tuple."""
    dilations = options.get('dilations', (1,))
    if isinstance(dilations, str) or not isinstance(dilations, Sequence) or not dilations:
        raise UserError(f'arch dilations must be a list of integers, but got {dilations!r}')
    if not all(map(_is_size, dilations)):
        raise UserError(f'arch dilations must be positive integers, but got {list(dilations)}')
    on: dict[str, Any] = {}
    if any(d > 1 for d in dilations):
        on['dilations'] = tuple(dilations)
    for key in ('reparam', 'squeeze'):
        value = options.get(key, False)
        if not isinstance(value, bool):
            raise UserError(f'arch {key} must be True or False, but got {value!r}')
        if value:
            on[key] = True
    if 'reparam' in on and kernel_size not in RepDepthwise.BRANCHES:
        sizes = ', '.join(map(str, RepDepthwise.BRANCHES))
        raise UserError(f'arch kernels of {kernel_size} have no -rep: take one of {sizes}')
    return on


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def arch_name(sizes: Mapping[str, Any]) -> str:
    """Write what ``parse_arch`` reads, as far as a name can say it."""
    name = 'd{embed_dims}-l{depth}-k{kernel_size}-p{patch_size}'.format_map(sizes)
    if 'dilations' in sizes:
        name += f'-dil{"".join(map(str, sizes["dilations"]))}'
    return name + '-rep' * sizes.get('reparam', False) + '-se' * sizes.get('squeeze', False)


class PatchEmbed(nn.Module):
    """Turn patches into tokens: embedding, activation, norm.

    (N, in_channels, H, W) -> (N, embed_dims, ceil(H / r), ceil(W / r)); the right and bottom
    borders are repeated up to a multiple of the patch r.

    Source: section 3.1. ``'pixel_unshuffle'`` is the paper's; ``'conv'`` is ConvMixer's r x r
    convolution of stride r, the same linear map in another parametrisation (see ``convert_stem``).
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        patch_size: int,
        embed: str,
        norm_cfg: dict,
        act_cfg: dict,
    ) -> None:
        super().__init__()
        _check_embed(embed)
        self.in_channels = in_channels
        self.patch_size = patch_size
        self.embed = embed
        self.proj: nn.Conv2d
        if embed == 'pixel_unshuffle':
            self.proj = nn.Conv2d(in_channels * patch_size**2, embed_dims, 1)
        else:
            self.proj = nn.Conv2d(in_channels, embed_dims, patch_size, stride=patch_size)
        self.act = build_activation_layer(act_cfg)
        self.norm = build_norm_layer(norm_cfg, embed_dims)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.act(self.proj(self.patches(x))))

    def patches(self, x: Tensor) -> Tensor:
        """Pad to whole patches and bring them into the form that ``proj`` takes."""
        x = pad_to(x, self.patch_size)
        if self.embed == 'conv':
            return x
        return F.pixel_unshuffle(x, self.patch_size)  # (N, C, H, W) -> (N, C * r * r, H / r, W / r)


class MixerBlock(nn.Module):
    """``y = x + BN(GELU(depthwise(x)))``, then ``BN(GELU(pointwise(y)))``.

    (N, C, H, W) -> (N, C, H, W). Source: section 3.2, ConvMixer's block. Drop path and
    squeeze-excitation on the residual branch, dilated and reparametrised kernels are ours and off
    by default.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        drop_path: float,
        norm_cfg: dict,
        act_cfg: dict,
        dilation: int = 1,
        reparam: bool = False,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.depthwise: Any  # DepthwiseConv2d, or RepDepthwise with ``reparam``
        if reparam:
            self.depthwise = RepDepthwise(channels, kernel_size, dilation, norm_cfg)
        else:
            self.depthwise = DepthwiseConv2d(channels, kernel_size, dilation=dilation)
        self.norm1 = build_norm_layer(norm_cfg, channels)[1]
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.norm2 = build_norm_layer(norm_cfg, channels)[1]
        self.act = build_activation_layer(act_cfg)
        self.squeeze = SqueezeExcite(channels) if squeeze else nn.Identity()
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.squeeze(self.norm1(self.act(self.depthwise(x)))))
        return self.norm2(self.act(self.pointwise(x)))


@MODELS.register_module()
class SAConvMixer(StagedBackbone):
    """The isotropic SA-ConvMixer backbone.

    (N, in_channels, H, W) -> one (N, embed_dims, ceil(H / r), ceil(W / r)) map for each of
    ``out_indices``, where r is the patch size; any H, W >= r.

    Source: section 3. Padding to the patch, drop path, freezing and checkpointing are ours.

    Args:
        arch: A name such as ``'d512-l12-k5-p5'`` or ``'d256-l8-k5-p5-dil1248'``, or a dict; see
            ``parse_arch``.
        in_channels: Channels of the image.
        embed: ``'pixel_unshuffle'`` (the paper) or ``'conv'`` (ConvMixer's patch embedding).
        out_indices: Blocks whose outputs are returned, 0 to depth - 1, negatives from the end.
        frozen_stages: -1 freezes nothing, 0 the stem, n the stem and the first n blocks.
        drop_path_rate: Drop path of the last block; earlier ones get linearly less.
        norm_cfg: Norm layers.
        act_cfg: Activations; the published ConvMixer-768/32 has ``ReLU`` instead of ``GELU``.
        with_cp: Recompute each block in the backward pass instead of keeping its activations.
        init_cfg: mmengine's, for instance ``dict(type='Pretrained', checkpoint=...)``.

    Attributes:
        out_channels: Channels of each returned map.
        out_strides: Stride of each returned map, in pixels.

    Raises:
        UserError: The arch, an index or the embed is unknown; or, in ``forward``, the image has
            other channels or is smaller than one patch.
    """

    archs = PUBLISHED_ARCHS
    small = MappingProxyType({'arch': 'd16-l4-k3-p4'})

    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'd512-l12-k5-p5',
        in_channels: int = 3,
        embed: str = 'pixel_unshuffle',
        out_indices: int | Sequence[int] = (-1,),
        frozen_stages: int = -1,
        drop_path_rate: float = 0.0,
        norm_cfg: Mapping = BATCH_NORM,
        act_cfg: Mapping = GELU,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        sizes = parse_arch(arch)
        super().__init__(sizes['depth'], in_channels, out_indices, frozen_stages, with_cp, init_cfg)
        self.embed_dims = sizes['embed_dims']
        self.depth = sizes['depth']
        self.kernel_size = sizes['kernel_size']
        self.patch_size = sizes['patch_size']
        self.out_channels = (self.embed_dims,) * len(self.out_indices)
        self.out_strides = (self.patch_size,) * len(self.out_indices)

        norm_cfg, act_cfg = dict(norm_cfg), dict(act_cfg)
        self.stem = PatchEmbed(
            in_channels, self.embed_dims, self.patch_size, embed, norm_cfg, act_cfg
        )
        rates = drop_rates(drop_path_rate, self.depth)
        dilations = sizes.get('dilations', (1,))
        options = {key: sizes[key] for key in ('reparam', 'squeeze') if key in sizes}
        radii = [self.kernel_size // 2 * dilations[i % len(dilations)] for i in range(self.depth)]
        # pixels to each side that a patch sees; a squeeze sees all
        self.reach = None if 'squeeze' in options else sum(radii) * self.patch_size
        self.blocks = nn.ModuleList(
            MixerBlock(
                self.embed_dims,
                self.kernel_size,
                rate,
                norm_cfg,
                act_cfg,
                dilation=dilations[i % len(dilations)],
                **options,
            )
            for i, rate in enumerate(rates)
        )
        self.freeze()

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """Read an arch, and the embedding where ``-conv`` names one."""
        for embed in _EMBEDS:
            if name.endswith(f'-{embed}'):
                name = name.removesuffix(f'-{embed}')
                parse_arch(name)
                return {'arch': name, 'embed': embed}
        parse_arch(name)
        return {'arch': name}

    def stages_from_stem(self) -> list[list[nn.Module]]:
        return [[self.stem], *([block] for block in self.blocks)]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        self._check_input(x)
        x = self.stem(x)
        outs: dict[int, Tensor] = {}
        for i, block in enumerate(self.blocks):
            x = self.run(block, x)
            outs[i] = x
            if len(outs) > 1 and i - 1 not in self.out_indices:
                del outs[i - 1]
        return tuple(outs[i] for i in self.out_indices)

    def _check_input(self, x: Tensor) -> None:
        self.check_channels(x)
        r = self.patch_size
        if min(x.shape[2:]) < r:
            raise UserError(
                f'an image of {x.shape[2]}x{x.shape[3]} pixels is smaller than one {r}x{r} patch: '
                f'enlarge it to at least {r}x{r} or choose an arch with a smaller patch'
            )


def convert_stem(
    state_dict: Mapping[str, Tensor], embed: str, in_channels: int = 3
) -> dict[str, Tensor]:
    """Rewrite the stem's weights for the other embedding; the network computes the same.

    Pixel-unshuffle by r and a 1x1 convolution are one r x r convolution of stride r:
    ``W1x1[o, c * r * r + i * r + j] = W[o, c, i, j]``, a reshape that loses nothing.

    Args:
        state_dict: Weights of an ``SAConvMixer``, or of a model that holds one.
        embed: The embedding to convert to, ``'pixel_unshuffle'`` or ``'conv'``.
        in_channels: Channels of the image.

    Returns:
        A new state dict; tensors other than the stem's projection are shared.

    Raises:
        UserError: ``embed`` is unknown, or there is no stem of ``in_channels`` in ``state_dict``.
    """
    _check_embed(embed)
    keys = [key for key in state_dict if key.endswith('stem.proj.weight')]
    if not keys:
        raise UserError("no SAConvMixer stem ('stem.proj.weight') in the state dict")
    out = dict(state_dict)
    for key in keys:
        weight = state_dict[key]  # (dim, C * r * r, 1, 1) or (dim, C, r, r)
        pixels = weight[0].numel() // in_channels
        r = math.isqrt(pixels)
        if r * r * in_channels != weight[0].numel():
            raise UserError(
                f'{key} of shape {tuple(weight.shape)} does not embed square patches of '
                f'{in_channels} channels: give the right in_channels'
            )
        shape = (-1, 1, 1) if embed == 'pixel_unshuffle' else (in_channels, r, r)
        out[key] = weight.reshape(weight.shape[0], *shape)
    return out


def _check_embed(embed: str) -> None:
    if embed not in _EMBEDS:
        raise UserError(f"unknown embed '{embed}': choose from {', '.join(_EMBEDS)}")
