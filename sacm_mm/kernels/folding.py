"""Rewrite SA-ConvMixer for inference: fewer passes over memory, the same function.

Its norms come after the activation, so they fold forward, into the next linear layer, and only
where that is exact:

- ``norm1``'s shift goes into the bias of the pointwise convolution, which pads nothing. Its scale
  stays: it weighs the branch against the residual.
- The last ``norm2`` goes into the 1x1 convolution or, past the average pooling, the linear layer of
  the heads.
- The stem's norm and the other ``norm2`` stay. The depthwise convolution that follows pads with
  zeros, which a shift would make another value at the borders, and the residual reads them too.

A backbone is taken as a whole or not at all: one that is a subclass, has other parts, a hook
anywhere or a layer that stands in several places stays as it is.
"""

import copy
from collections import Counter
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.models.necks import GlobalAveragePooling
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from sacm_mm.kernels.blocks import FastMixerBlock, FastPatchEmbed
from sacm_mm.kernels.recognition import (
    has_known_parts,
    is_changed,
    is_depthwise,
    is_exactly,
    is_pointwise,
)
from sacm_mm.models.backbones.mixing import RepDepthwise, SqueezeExcite
from sacm_mm.models.backbones.sa_convmixer import MixerBlock, PatchEmbed, SAConvMixer, convert_stem
from sacm_mm.models.batch_norms import affine
from sacm_mm.models.depth_estimator import DepthEstimator
from sacm_mm.models.heads.pixel_shuffle_depth_head import PixelShuffleDepthHead
from sacm_mm.models.heads.pixel_shuffle_head import PixelShuffleHead
from sacm_mm.models.joint_estimator import SegDepthEstimator

_BATCH_NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)
_DENSE = (EncoderDecoder, DepthEstimator, SegDepthEstimator)  # whose heads alone read the maps


def fold(model: nn.Module, into_heads: bool = True) -> nn.Module:
    """Copy a model for inference, with the norms of its SA-ConvMixer folded where that is exact.

    Args:
        model: A model of the hosts or any module that holds ``SAConvMixer`` backbones; whatever
            else is in it stays as it is.
        into_heads: Fold the last norm too, so that the maps before the heads are others.

    Returns:
        A copy in eval mode that computes the same to rounding and cannot be trained.
    """
    model = copy.deepcopy(model).requires_grad_(False)
    model.eval()  # mmpretrain.ConvMixer's returns None
    if into_heads:
        _fold_into_heads(model)
    for backbone in known_backbones(model).values():
        for block in backbone.blocks:
            _merge(block)
        backbone.blocks = nn.ModuleList(map(_folded, backbone.blocks))
    return model


def stride_stem(model: nn.Module) -> nn.Module:
    """Turn each stem, in place, into one convolution of stride r that pads without a branch.

    It takes images of any size in one traced graph; returns ``model``.
    """
    for name, module in list(model.named_modules()):
        if name and is_stem(module) and not any(map(is_changed, module.modules())):
            model.set_submodule(name, StridedStem(module))
    return model


def known_backbones(model: nn.Module) -> dict[str, Any]:
    """Find the ``SAConvMixer`` in a model, plain, accelerated or folded, that are known whole."""
    found: dict[str, Any] = {}
    shared = _shared(model)
    for name, module in model.named_modules():
        part: Any = module
        if type(part) is SAConvMixer and has_known_parts(part, SAConvMixer):
            known = is_stem(part.stem) and all(map(_is_block, part.blocks))
            if known and not any(is_changed(m) or m in shared for m in part.modules()):
                found[name] = part
    return found


def _shared(model: nn.Module) -> set[nn.Module]:
    """Find the layers that stand in several places of a model, and would be rewritten for all."""
    layers = (m for _, m in model.named_modules(remove_duplicate=False) if m._parameters)
    return {layer for layer, times in Counter(layers).items() if times > 1}


def is_stem(module: nn.Module) -> bool:
    """Tell whether a module is a ``PatchEmbed``, accelerated or not."""
    stem: Any = module
    if type(stem) not in (PatchEmbed, FastPatchEmbed) or not has_known_parts(stem, PatchEmbed):
        return False
    if stem.embed == 'pixel_unshuffle':
        return is_pointwise(stem.proj)
    return type(stem.proj) is nn.Conv2d


def _is_block(module: nn.Module) -> bool:
    """Tell whether a module is a ``MixerBlock``, accelerated or folded or not."""
    block: Any = module
    if type(block) is FoldedBlock:
        return True
    return (
        type(block) in (MixerBlock, FastMixerBlock)
        and has_known_parts(block, MixerBlock)
        and is_pointwise(block.pointwise)
        and is_exactly(block.squeeze, nn.Identity, SqueezeExcite)
        and is_exactly(block.drop_path, nn.Identity, DropPath)
    )


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


def _merge(block: Any) -> None:
    """Turn the several kernels that a block was trained with into one, in place."""
    conv = getattr(block, 'depthwise', None)
    if type(conv) is not RepDepthwise or tuple(conv._modules) != ('convs', 'norms'):
        return
    if all(map(is_depthwise, conv.convs)) and all(map(is_affine, conv.norms)):
        block.depthwise = conv.merged().requires_grad_(False)


def _folded(block: Any) -> nn.Module:
    if type(block) is FoldedBlock or type(block.squeeze) is not nn.Identity:
        return block
    return FoldedBlock(block) if is_affine(block.norm1) else block


def is_affine(norm: nn.Module) -> bool:
    """Tell whether a norm in eval mode is one fixed scale and shift a channel."""
    return is_exactly(norm, *_BATCH_NORMS) and norm.running_mean is not None


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
    backbone = known_backbones(model).get('backbone')
    if backbone is None or backbone.out_indices != (backbone.depth - 1,):
        return
    last = backbone.blocks[-1]
    layers = _readers(model, backbone.embed_dims)
    if not layers or not is_affine(last.norm2):
        return
    for layer in layers:
        _absorb(layer, *affine(last.norm2))
    last.norm2 = nn.Identity()


def _readers(model: Any, channels: int) -> list[Any]:
    """List the linear layers that the last map goes to, or nothing if it goes elsewhere too."""
    layers = []
    if is_exactly(model, ImageClassifier):
        if is_exactly(model.neck, GlobalAveragePooling) and is_exactly(model.head, LinearClsHead):
            layers = [model.head.fc]
    elif is_exactly(model, *_DENSE) and not model.with_neck:
        names = ('decode_head', 'depth_head', 'auxiliary_head')
        heads = [head for name in names if (head := getattr(model, name, None)) is not None]
        if all(is_exactly(head, PixelShuffleHead, PixelShuffleDepthHead) for head in heads):
            layers = [head.conv_seg for head in heads]
    linear = all(is_exactly(layer, nn.Linear) or is_pointwise(layer) for layer in layers)
    linear = linear and _shared(model).isdisjoint(layers)
    # a head that takes the map twice has more inputs
    return layers if linear and all(layer.weight.shape[1] == channels for layer in layers) else []
