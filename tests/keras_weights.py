"""Keras weights files of SA-ConvMixer, and the network in plain NumPy: the converter's oracle.

Written from the published layer list alone, channels last throughout.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.special import erf

IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))


@dataclass
class KerasNet:
    """A network of random weights; by default the VOC2012 setting made small."""

    dim: int = 8
    depth: int = 3
    kernel: int = 5
    patch: int = 5
    outputs: int = 21
    first_tap: int | None = None
    act_norm: bool = True
    first_number: int = 0  # Keras goes on counting when a process builds a second model

    def __post_init__(self):
        self.random = np.random.default_rng(0)
        self.layers = []  # name, weights
        self.counts = {}
        self._add('normalization' if self.outputs > 1 else 'rescaling')
        self._add_conv(3 * self.patch**2, self.dim)
        for _ in range(self.depth):
            self._add(
                'depthwise_conv2d',
                depthwise_kernel=(self.kernel, self.kernel, self.dim, 1),
                bias=(self.dim,),
            )
            self._add_norm(self.dim)
            self._add('add')
            self._add_conv(self.dim, self.dim)
        taps = 1 if self.first_tap is None else self.depth - self.first_tap
        if taps > 1:
            self._add('concatenate')
        self._add_conv(taps * self.dim, self.outputs * self.patch**2, norm=self.act_norm)

    def _add_conv(self, inputs, outputs, norm=True):
        self._add('conv2d', kernel=(1, 1, inputs, outputs), bias=(outputs,))
        if norm:
            self._add_norm(outputs)

    def _add_norm(self, channels):
        self._add('activation')
        keys = ('gamma', 'beta', 'moving_mean', 'moving_variance')
        self._add('batch_normalization', **dict.fromkeys(keys, (channels,)))

    def _add(self, kind, **shapes):
        number = self.counts.get(kind, self.first_number)
        self.counts[kind] = number + 1
        weights = {}
        for key, shape in shapes.items():
            value = self.random.normal(size=shape) / np.sqrt(max(np.prod(shape[:-1]), 1))
            if key in ('gamma', 'moving_variance'):
                value = 0.5 + np.abs(value)
            weights[key] = value.astype(np.float32)
        self.layers.append((f'{kind}_{number}' if number else kind, weights))

    def save(self, path: Path) -> Path:
        with h5py.File(path, 'w') as file:
            file.attrs['layer_names'] = np.array([name for name, _ in self.layers], 'S')
            for name, weights in self.layers:
                group = file.create_group(name)
                group.attrs['weight_names'] = np.array([f'{name}/{key}:0' for key in weights], 'S')
                for key, value in weights.items():
                    group[f'{name}/{key}:0'] = value
        return path

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Compute (N, H, W, 3) RGB 0..255 -> (N, H, W, outputs)."""
        weights = iter([weights for _, weights in self.layers if weights])
        mean, std = IMAGENET if self.outputs > 1 else (0.0, 255.0)
        x = space_to_depth((image.astype(np.float64) - mean) / std, self.patch)
        x = norm(gelu(conv(x, next(weights))), next(weights))
        taps = []
        for i in range(self.depth):
            x = x + norm(gelu(depthwise(x, next(weights))), next(weights))
            x = norm(gelu(conv(x, next(weights))), next(weights))
            if i >= (self.depth - 1 if self.first_tap is None else self.first_tap):
                taps.append(x)
        x = conv(np.concatenate(taps, -1), next(weights))
        if self.act_norm:
            x = norm(gelu(x), next(weights))
        return depth_to_space(x, self.patch)


def space_to_depth(x, r):
    n, h, w, c = x.shape
    x = x.reshape(n, h // r, r, w // r, r, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // r, w // r, r * r * c)


def depth_to_space(x, r):
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, r, r, c // r**2).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h * r, w * r, c // r**2)


def conv(x, weights):
    return x @ weights['kernel'][0, 0] + weights['bias']


def depthwise(x, weights):
    kernel = weights['depthwise_kernel'][..., 0]
    k, (_, h, w, _) = len(kernel), x.shape
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    return weights['bias'] + sum(
        kernel[i, j] * padded[:, i : i + h, j : j + w] for i in range(k) for j in range(k)
    )


def norm(x, weights):
    x = (x - weights['moving_mean']) / np.sqrt(weights['moving_variance'] + 1e-3)
    return x * weights['gamma'] + weights['beta']


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2
