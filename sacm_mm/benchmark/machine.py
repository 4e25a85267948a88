"""What this machine can do at best, measured: matrix products and copies."""

from __future__ import annotations

from functools import cache

import torch

from sacm_mm.benchmark.measure import interleave

_WIDTH = 1536  # of the square matrices; beyond every cache with its three of them
_COPIED = 2**25  # float32 values, 128 MiB
_ROUNDS = 5


@cache
def peaks(dtype: torch.dtype, device: str) -> dict[str, float]:
    """Measure GFLOP/s of a matrix product in ``dtype`` and GB/s of a copy, read and written.

    Once a process, so set the number of threads before.
    """
    a, b = (torch.randn(_WIDTH, _WIDTH, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(a)
    source = torch.ones(_COPIED, device=device)
    target = torch.empty_like(source)
    times = interleave(
        {'gemm': lambda: torch.mm(a, b, out=product), 'copy': lambda: target.copy_(source)},
        _ROUNDS,
    )
    return {
        'gemm_gflops': 2 * _WIDTH**3 / times['gemm'].median / 1e9,
        'copy_gb_per_s': 2 * source.nbytes / times['copy'].median / 1e9,
    }


def convmixer_flops(sizes: dict[str, int], image: int, channels: int = 3) -> int:
    """Count the FLOPs of a forward pass of one square image, two a multiplication.

    Convolutions only, the depthwise ones included; activations and norms are left out.

    Args:
        sizes: Architecture, see ``parse_arch``.
        image: Height and width in pixels.
        channels: Channels of the image.
    """
    dim, patch = sizes['embed_dims'], sizes['patch_size']
    tokens = (-(-image // patch)) ** 2
    stem = channels * patch**2 * dim
    block = sizes['kernel_size'] ** 2 * dim + dim**2
    return 2 * tokens * (stem + sizes['depth'] * block)
