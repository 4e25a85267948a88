"""The compiled kernel of fast inference on CPUs: built when first asked for, never required."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from sacm_mm.provenance import cpu_name

KERNEL_SIZES = (3, 5, 7, 9)
CHANNELS = 32  # the number of channels is a multiple of it
_SOURCE = Path(__file__).with_name('token_mixing.cpp')
_FLAGS = ('-std=c++20', '-O3', '-march=native', '-fno-math-errno', '-fPIC', '-fopenmp')


@cache
def available() -> bool:
    """Build and load the kernel; False where that fails, which has many forms."""
    try:
        torch.ops.load_library(_build())
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


def _build() -> Path:
    """Compile for this machine's processor and PyTorch, once; return the library."""
    compiler = os.environ.get('CXX') or shutil.which('c++') or shutil.which('g++')
    if compiler is None:
        raise FileNotFoundError('no C++ compiler')
    about = (_SOURCE.read_text(), torch.__version__, compiler, cpu_name(), *_FLAGS)
    key = hashlib.sha256('\n'.join(about).encode()).hexdigest()[:16]
    library = _cache_folder() / f'token_mixing_{key}.so'
    if library.is_file():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    root = Path(torch.__file__).parent
    abi = int(torch.compiled_with_cxx11_abi())
    includes = [f'-I{root}/include', f'-I{root}/include/torch/csrc/api/include']
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        built, unit = Path(folder, 'kernel.so'), Path(folder, 'kernel.o')
        _run(compiler, *_FLAGS, f'-D_GLIBCXX_USE_CXX11_ABI={abi}', *includes, '-c', _SOURCE,
             '-o', unit)  # fmt: skip
        # Without -fopenmp: a second OpenMP library would fight PyTorch's for the cores.
        _run(compiler, '-shared', unit, f'-L{root}/lib', '-lc10', '-ltorch_cpu', '-o', built)
        built.replace(library)
    return library


def _cache_folder() -> Path:
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache', 'sacm_mm')


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
