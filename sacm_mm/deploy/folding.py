"""Rewrite SA-ConvMixer for inference: fewer passes over memory, the same function.

Its norms come after the activation, so they fold forward, into the next linear layer, and only
where that is exact:

- ``norm1``'s shift goes into the bias of the pointwise convolution, which pads nothing. Its scale
  stays: it weighs the branch against the residual.
- The last ``norm2`` goes into the 1x1 convolution or, past the average pooling, the linear layer of
  the heads.
- The stem's norm and the other ``norm2`` stay. The depthwise convolution that follows pads with
  zeros, which a shift would make another value at the borders, and the residual reads them too.
"""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.models.necks import GlobalAveragePooling
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sacm_mm.models.backbones.mixing import RepDepthwise, SqueezeExcite
from sacm_mm.models.backbones.sa_convmixer import MixerBlock, PatchEmbed, SAConvMixer, convert_stem
from sacm_mm.models.heads.pixel_shuffle_base import PixelShuffleBase


def fold(model: nn.Module, blocks: bool = True) -> nn.Module:
    """Copy a model for inference, with the norms of its SA-ConvMixer folded where that is exact.

    Args:
        model: A model of the hosts or any module that holds ``SAConvMixer`` backbones; whatever
            else is in it stays as it is.
        blocks: Fold ``norm1`` of the blocks. The GPU kernels apply it at no cost, but take blocks
            only whole.

    Returns:
        A copy in eval mode that computes the same to rounding and cannot be trained.
    """
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # mmpretrain.ConvMixer's returns None
    _fold_into_heads(model)
    for backbone in _backbones(model):
        for block in backbone.blocks:
            if isinstance(block, MixerBlock):
                _merge(block)
        if blocks:
            backbone.blocks = nn.ModuleList(map(_folded, backbone.blocks))
    return model


def stride_stem(model: nn.Module) -> nn.Module:
    """Turn each stem, in place, into one convolution of stride r that pads without a branch.

    It takes images of any size in one traced graph; returns ``model``.
    """
    for backbone in _backbones(model):
        backbone.stem = StridedStem(backbone.stem)
    return model


def _backbones(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, SAConvMixer)]


class StridedStem(nn.Module):
    """A ``PatchEmbed`` whose projection is one r x r convolution of stride r.

    (N, C, H, W) -> (N, embed_dims, ceil(H / r), ceil(W / r)).
    """

    def __init__(self, stem: PatchEmbed) -> None:
        super().__init__()
        r = self.patch_size = stem.patch_size
        self.in_channels = stem.in_channels
        weights = convert_stem({'stem.proj.weight': stem.proj.weight}, 'conv', stem.in_channels)
        self.proj = nn.Conv2d(stem.in_channels, stem.proj.out_channels, r, stride=r, device='meta')
        self.proj.weight = nn.Parameter(weights['stem.proj.weight'], requires_grad=False)
        self.proj.bias = stem.proj.bias
        self.act, self.norm = stem.act, stem.norm

    def forward(self, x: Tensor) -> Tensor:
        """Embed; see the class."""
        h, w = x.shape[2:]
        x = F.pad(x, (0, -w % self.patch_size, 0, -h % self.patch_size), mode='replicate')
        return self.norm(self.act(self.proj(x)))


class FoldedBlock(nn.Module):
    """A ``MixerBlock`` in eval mode whose first norm is a scale: ``x + scale * act(depthwise x)``.

    (N, C, H, W) -> (N, C, H, W).
    """

    scale: Tensor

    def __init__(self, block: MixerBlock) -> None:
        super().__init__()
        scale, shift = affine(block.norm1)
        self.depthwise = block.depthwise
        self.pointwise = _absorb(block.pointwise, torch.ones_like(shift), shift)
        self.act, self.norm2 = block.act, block.norm2
        self.register_buffer('scale', scale.to(block.pointwise.weight.dtype).view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Mix (N, C, H, W) -> (N, C, H, W)."""
        x = torch.addcmul(x, self.act(self.depthwise(x)), self.scale)
        return self.norm2(self.act(self.pointwise(x)))


def _merge(block: MixerBlock) -> None:
    """Turn the several kernels that a block was trained with into one, in place."""
    if isinstance(block.depthwise, RepDepthwise) and block.depthwise.merges:
        block.depthwise = block.depthwise.merged().requires_grad_(False)


def _folded(block: nn.Module) -> nn.Module:
    if not isinstance(block, MixerBlock) or not is_affine(block.norm1):
        return block
    return block if isinstance(block.squeeze, SqueezeExcite) else FoldedBlock(block)


def is_affine(norm: nn.Module) -> bool:
    """Tell whether a norm in eval mode is one fixed scale and shift a channel."""
    return isinstance(norm, _BatchNorm) and norm.running_mean is not None


def affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the scale and shift (C,) that a batch norm applies in eval mode, in float64."""
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double()
        shift = shift + norm.bias.double()
    return scale, shift


def _absorb(layer, scale: Tensor, shift: Tensor):
    """Let a 1x1 convolution or linear layer do ``scale * x + shift`` first, in place."""
    weight = layer.weight.double()
    flat = weight.flatten(1)  # (out, in, 1, 1) or (out, in) -> (out, in)
    bias = flat @ shift
    if layer.bias is not None:
        bias = bias + layer.bias.double()
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter((flat * scale).view_as(weight).to(dtype), requires_grad=False)
    layer.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
    return layer


def _fold_into_heads(model: nn.Module) -> None:
    """Fold the last norm into the heads, where nothing but them reads the last map."""
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, SAConvMixer) or backbone.out_indices != (backbone.depth - 1,):
        return
    last = backbone.blocks[-1]
    layers = _readers(model)
    if not layers or not isinstance(last, MixerBlock) or not is_affine(last.norm2):
        return
    for layer in layers:
        _absorb(layer, *affine(last.norm2))
    last.norm2 = nn.Identity()


def _readers(model: nn.Module) -> list[nn.Module]:
    """List the linear layers that the last map goes to, or nothing if it goes elsewhere too."""
    neck = getattr(model, 'neck', None)
    head = getattr(model, 'head', None)
    if head is not None:
        averaged = isinstance(neck, GlobalAveragePooling) and isinstance(head, LinearClsHead)
        return [head.fc] if averaged else []
    names = ('decode_head', 'depth_head', 'auxiliary_head')
    heads = [head for name in names if (head := getattr(model, name, None)) is not None]
    if neck is not None or not all(isinstance(head, PixelShuffleBase) for head in heads):
        return []
    return [head.conv_seg for head in heads]
