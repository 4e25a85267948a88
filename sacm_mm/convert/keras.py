"""The authors' dense networks: Keras weights (.h5) for segmentation and depth.

Source: the layer list of section 3, in the order in which Keras stores it: 1x1 convolution and norm
of the stem, then depthwise convolution, norm, 1x1 convolution and norm of each block, then the 1x1
convolution of the head and, in the authors' code, its norm. TensorFlow orders the channels of
space_to_depth and depth_to_space (row, column, channel), PyTorch (channel, row, column).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sacm_mm.convert.hdf5 import Layer, read_layers
from sacm_mm.core.errors import UserError

_CONV = ('kernel', 'bias')
_DEPTHWISE = ('depthwise_kernel', 'bias')
_NORM = ('gamma', 'beta', 'moving_mean', 'moving_variance')
_KINDS = {_CONV: '1x1 convolution', _DEPTHWISE: 'depthwise convolution', _NORM: 'batch norm'}
_OUR_NORM = ('weight', 'bias', 'running_mean', 'running_var')

_NORM_CFG = dict(type='BN', eps=1e-3)  # Keras' default
# The normalisation layers have no weights. For segmentation the authors feed 0..255 to the
# statistics that are meant for 0..1; for depth they divide by 255.
_SEG_INPUT = dict(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
_DEPTH_INPUT = dict(mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0])


def load(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Convert a file that ``Model.save_weights`` wrote.

    Raises:
        UserError: It is no SA-ConvMixer, or damaged; the first layer that does not fit is named.
    """
    with read_layers(path) as layers:
        reader = _Reader(path, [layer for layer in layers if layer.weights])
        dim, depth, kernel, patch = _read_backbone(reader)
        taps, outputs, act_norm = _read_head(reader, dim, depth, patch)
        reader.finish()
        scaled = any(layer.name.startswith('rescaling') for layer in layers)
    if scaled and outputs > 1:  # the authors' super-resolution network
        raise UserError(
            f"'{path}' is neither segmentation nor depth: it divides the image by 255, as only "
            f'depth networks do, and has {outputs} outputs'
        )
    arch = f'd{dim}-l{depth}-k{kernel}-p{patch}'
    backbone: dict[str, Any] = dict(type='sacm_mm.SAConvMixer', arch=arch, norm_cfg=_NORM_CFG)
    head: dict[str, Any] = dict(
        in_channels=dim, upscale_factor=patch, act_norm=act_norm, norm_cfg=_NORM_CFG
    )
    if taps > 1:
        backbone['out_indices'] = list(range(depth - taps, depth))
        head |= dict(in_channels=[dim] * taps, in_index=list(range(taps)))
    return _model_cfg(backbone, head, outputs), reader.state


def _read_backbone(reader: _Reader) -> tuple[int, int, int, int]:
    """Read stem and blocks; returns dim, depth, kernel size and patch size."""
    stem = reader.conv('backbone.stem.proj')
    dim, inputs = stem.shape[:2]
    patch = math.isqrt(inputs // 3)
    if not patch or inputs != 3 * patch**2:
        raise reader.unfit(f'takes {inputs} channels, no square patch of a colour image')
    reader.state['backbone.stem.proj.weight'] = _channel_first(stem, 3, dim=1)
    reader.norm('backbone.stem.norm', dim)
    depth, kernel = 0, None
    while depth == 0 or reader.next_is(_DEPTHWISE):
        block = f'backbone.blocks.{depth}'
        kernel = reader.depthwise(f'{block}.depthwise', dim, kernel)
        reader.norm(f'{block}.norm1', dim)
        reader.conv(f'{block}.pointwise', dim, dim)
        reader.norm(f'{block}.norm2', dim)
        depth += 1
    assert kernel is not None
    return dim, depth, kernel, patch


def _read_head(reader: _Reader, dim: int, depth: int, patch: int) -> tuple[int, int, bool]:
    """Read the head; returns how many blocks it takes, its outputs and whether it has a norm."""
    channels, inputs = reader.conv('decode_head.conv_seg').shape[:2]
    taps, outputs = inputs // dim, channels // patch**2
    if inputs != taps * dim or not 1 <= taps <= depth:
        raise reader.unfit(f'takes {inputs} channels, no concatenation of {depth} blocks of {dim}')
    if channels != outputs * patch**2:
        raise reader.unfit(f'has {channels} outputs, which {patch}x{patch} pixels cannot share')
    act_norm = reader.next_is(_NORM)
    if act_norm:
        reader.norm('decode_head.act_norm.1', channels)
    for name, tensor in reader.state.items():
        if name.startswith('decode_head') and tensor.ndim:
            reader.state[name] = _channel_first(tensor, outputs, dim=0)
    return taps, outputs, act_norm


def _channel_first(tensor: Tensor, channels: int, dim: int) -> Tensor:
    """Reorder one dimension from (row, column, channel) to (channel, row, column)."""
    return tensor.unflatten(dim, (-1, channels)).transpose(dim, dim + 1).flatten(dim, dim + 1)


def _model_cfg(backbone: dict[str, Any], head: dict[str, Any], outputs: int) -> dict[str, Any]:
    preprocessor: dict[str, Any] = dict(
        type='mmseg.SegDataPreProcessor', bgr_to_rgb=True, size_divisor=1
    )
    if outputs == 1:
        kind = 'sacm_mm.DepthEstimator'
        preprocessor |= _DEPTH_INPUT
        head |= dict(type='sacm_mm.PixelShuffleDepthHead', bound=None)
    else:
        kind = 'mmseg.EncoderDecoder'
        preprocessor |= _SEG_INPUT
        head |= dict(
            type='sacm_mm.PixelShuffleHead',
            num_classes=outputs,
            loss_decode=dict(type='mmseg.CrossEntropyLoss'),
        )
    return dict(
        type=kind,
        data_preprocessor=preprocessor,
        backbone=backbone,
        decode_head=head,
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


class _Reader:
    """Takes layer after layer, checks that it is what comes next, and keeps its tensors.

    Attributes:
        state: The tensors under our names and in our layout.
    """

    def __init__(self, path: Path, layers: list[Layer]) -> None:
        self.path = path
        self.layers = layers
        self.taken = 0
        self.state: dict[str, Tensor] = {}

    def next_is(self, kind: tuple[str, ...]) -> bool:
        """Tell whether the next layer is of this kind."""
        return self.taken < len(self.layers) and set(self.layers[self.taken].weights) == set(kind)

    def conv(self, name: str, inputs: int | None = None, outputs: int | None = None) -> Tensor:
        """Take a 1x1 convolution (1, 1, in, out) as (out, in, 1, 1); None fits any number."""
        kernel, bias = self._take(_CONV, (1, 1, inputs, outputs))
        weight = kernel.permute(3, 2, 0, 1).contiguous()
        self.state |= {f'{name}.weight': weight, f'{name}.bias': bias}
        return weight

    def depthwise(self, name: str, channels: int, size: int | None) -> int:
        """Take a depthwise convolution (k, k, C, 1) as (C, 1, k, k); returns k."""
        kernel, bias = self._take(_DEPTHWISE, (size, size, channels, 1))
        weight = kernel.permute(2, 3, 0, 1).contiguous()
        rows, columns = weight.shape[2:]
        if rows != columns or rows % 2 == 0:
            raise self.unfit(f'has a kernel of {rows}x{columns}, not an odd square')
        self.state |= {f'{name}.weight': weight, f'{name}.bias': bias}
        return weight.shape[2]

    def norm(self, name: str, channels: int) -> None:
        """Take a batch norm; Keras does not count its batches."""
        tensors = self._take(_NORM, (channels,))
        self.state |= {f'{name}.{key}': tensor for key, tensor in zip(_OUR_NORM, tensors)}
        self.state[f'{name}.num_batches_tracked'] = torch.tensor(0)

    def finish(self) -> None:
        """Make sure that nothing is left."""
        left = [
            f'{layer.name}/{key}' for layer in self.layers[self.taken :] for key in layer.weights
        ]
        if left:
            raise UserError(f"'{self.path}' holds what no SA-ConvMixer has: {', '.join(left)}")

    def unfit(self, why: str) -> UserError:
        """Blame the layer that was taken last."""
        layer = self.layers[self.taken - 1]
        return UserError(f"'{self.path}' is no SA-ConvMixer: layer '{layer.name}' {why}")

    def _take(self, kind: tuple[str, ...], shape: tuple[int | None, ...]) -> list[Tensor]:
        """Take the tensors of the next layer, of which the first has this shape."""
        if self.taken == len(self.layers):
            last = f"ends after layer '{self.layers[-1].name}'" if self.layers else 'has no weights'
            raise UserError(f"'{self.path}' is no whole SA-ConvMixer: it {last}")
        layer = self.layers[self.taken]
        self.taken += 1
        found = {key: weight.shape for key, weight in layer.weights.items()}
        first = found.get(kind[0], ())
        channels = (shape[2] if kind is _DEPTHWISE else first[-1],) if first else ()
        fits = (
            set(found) == set(kind)
            and len(first) == len(shape)
            and 0 not in first
            and all(want in (None, have) for want, have in zip(shape, first))
            and all(found[key] == channels for key in kind[1:])
        )
        if not fits:
            holds = ', '.join(f'{key} {value}' for key, value in found.items())
            wanted = 'x'.join('any' if size is None else str(size) for size in shape)
            raise self.unfit(f'holds {holds}, where a {_KINDS[kind]} of {wanted} comes')
        return [self._tensor(layer, key) for key in kind]

    def _tensor(self, layer: Layer, key: str) -> Tensor:
        try:
            return torch.from_numpy(np.asarray(layer.weights[key], dtype=np.float32))
        except (OSError, TypeError, ValueError) as error:
            raise self.unfit(f'holds a {key} that cannot be read') from error
