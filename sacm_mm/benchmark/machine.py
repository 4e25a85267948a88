"""What this machine can do at best, measured: matrix products and copies."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import nn

from sacm_mm.benchmark.measure import interleave

_WIDTH = 1536  # of the square matrices; beyond every cache with its three of them
_TOKENS, _CHANNELS = 4096, 512  # of the pointwise convolution
_COPIED = 2**25  # float32 values, 128 MiB
_ROUNDS = 7


@cache
def peaks(dtype: torch.dtype, device: str) -> dict[str, float]:
    """Measure what this machine reaches at best: GFLOP/s of products, GB/s of a copy.

    The product is the better of a square matrix product and a pointwise convolution, which other
    libraries compute, in ``dtype``; the copy counts bytes read and written. Once a process, so set
    the number of threads before.
    """
    a, b = (torch.randn(_WIDTH, _WIDTH, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(a)
    conv = nn.Conv2d(_CHANNELS, _CHANNELS, 1, device=device, dtype=dtype)
    conv = conv.requires_grad_(False).to(memory_format=torch.channels_last)
    side = math.isqrt(_TOKENS)
    maps = torch.randn(1, _CHANNELS, side, side, device=device).to(dtype)
    maps = maps.contiguous(memory_format=torch.channels_last)
    source = torch.ones(_COPIED, device=device)
    target = torch.empty_like(source)
    times = interleave(
        {
            'product': lambda: torch.mm(a, b, out=product),
            'convolution': lambda: conv(maps),
            'copy': lambda: target.copy_(source),
        },
        _ROUNDS,
        device,
    )
    flops = {'product': _WIDTH**3, 'convolution': _TOKENS * _CHANNELS**2}
    return {
        'gemm_gflops': max(2 * flops[kind] / times[kind].least / 1e9 for kind in flops),
        'copy_gb_per_s': 2 * source.nbytes / times['copy'].least / 1e9,
    }


def convmixer_flops(sizes: dict[str, int], image: int) -> int:
    """Count the FLOPs of a forward pass of one square image, two a multiplication.

    Convolutions only, the depthwise ones included; activations and norms are left out.

    Args:
        sizes: Architecture, see ``parse_arch``.
        image: Height and width in pixels.
    """
    dim, patch = sizes['embed_dims'], sizes['patch_size']
    tokens = (-(-image // patch)) ** 2
    stem = 3 * patch**2 * dim
    block = sizes['kernel_size'] ** 2 * dim + dim**2
    return 2 * tokens * (stem + sizes['depth'] * block)


def convmixer_traffic(
    sizes: dict[str, int], image: int, batch: int, number: int, training: bool
) -> int:
    """Count the bytes that a forward pass or training step moves at least.

    Every layer, which is a convolution with the activation, norm and sum that follow, reads its
    input and its weights and writes its output, once. Backwards it reads its input and the
    gradient of its output, and writes the gradient of its input and that of its weights; the step
    reads the weights and their gradients and writes the weights. Caches that hold a map from one
    layer to the next, or several passes for batch statistics, are left out.

    Args:
        sizes: Architecture, see ``parse_arch``.
        image: Height and width in pixels.
        batch: Images.
        number: Bytes a number.
        training: Count a training step.
    """
    dim, patch, layers = sizes['embed_dims'], sizes['patch_size'], sizes['depth']
    tokens = batch * (-(-image // patch)) ** 2
    weights = 3 * patch**2 * dim + layers * (sizes['kernel_size'] ** 2 * dim + dim**2)
    pixels, maps = tokens * 3 * patch**2, tokens * dim
    moved = pixels + maps + layers * 4 * maps + weights
    if training:  # the image needs no gradient
        moved += pixels + maps + layers * 6 * maps + 2 * weights + 3 * weights
    return moved * number
