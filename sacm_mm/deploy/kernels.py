"""The compiled kernel of fast inference on CPUs: built when first asked for, never required."""

import subprocess
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from sacm_mm.ops.native import build

KERNEL_SIZES = (3, 5, 7, 9)
CHANNELS = 32  # the number of channels is a multiple of it
_SOURCE = Path(__file__).with_name('token_mixing.cpp')


@cache
def available() -> bool:
    """Build and load the kernel; False where that fails, which has many forms."""
    try:
        torch.ops.load_library(build(_SOURCE, _flags()))
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def token_mixing(x: Tensor, taps: Tensor, vectors: Tensor, gelu: bool, out: Tensor) -> Tensor:
    """Compute ``v + scale * act(depthwise(v) + bias)`` for ``v = in_scale * x + in_shift``.

    Args:
        x: Maps (N, H, W, C), float32 or bfloat16, C a multiple of ``CHANNELS``.
        taps: Kernels (k * k, C), float32, k one of ``KERNEL_SIZES``; zeros pad v.
        vectors: (4, C), float32: bias, scale, in_scale, in_shift.
        gelu: The activation is GELU, else ReLU.
        out: Where the result goes, like ``x``, and what is returned.
    """
    torch.ops.sacm_mm_cpu.token_mixing(x, taps, vectors, gelu, out)
    return out


def _flags() -> list[str]:
    root = Path(torch.__file__).parent
    return [
        *('-std=c++20', '-O3', '-march=native', '-fno-math-errno', '-fPIC', '-fopenmp', '-shared'),
        f'-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}',
        f'-I{root}/include',
        f'-L{root}/lib',
        '-lc10',
        '-ltorch_cpu',
    ]
