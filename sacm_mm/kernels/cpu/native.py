"""Build and call the compiled kernels of ``csrc/``; where there is no compiler there are none.

One C++ file without dependencies is compiled in a few seconds when it is first needed and kept in
``$XDG_CACHE_HOME/sacm_mm``. It shares PyTorch's OpenMP threads.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

_SOURCE = Path(__file__).with_name('csrc') / 'mixer.cpp'
_FLAGS = (
    '-std=c++17',
    '-O3',
    '-march=native',
    '-ffp-contract=fast',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-fopenmp',
    '-shared',
    '-fPIC',
)
_TIMEOUT_S = 300
_DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float64: 2}
KERNEL_SIZES = (3, 5, 7, 9)

_NUMBERS = [
    'type',
    'batch',
    'channels',
    'height',
    'width',
    'kernel',
    'threads',
    'activation',
    'residual',
]
_POINTERS = [
    'x',
    'weight',
    'bias',
    'norm_weight',
    'norm_bias',
    'y',
    'mean',
    'variance',
    'grad',
    'grad_x',
    'grad_weight',
    'grad_bias',
    'grad_norm_weight',
    'grad_norm_bias',
]


class _Call(ctypes.Structure):
    """``struct Call`` of the source."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _NUMBERS),
        ('eps', ctypes.c_double),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]


@torch.compiler.assume_constant_result
def available() -> bool:
    """Tell whether the kernels run on this machine; the first call compiles them."""
    return _library() is not None


def token_mixing(x: Tensor, taps: Tensor, vectors: Tensor, gelu: bool, out: Tensor) -> Tensor:
    """Compute ``v + scale * act(depthwise(v) + bias)`` for ``v = in_scale * x + in_shift``.

    Args:
        x: Maps (N, H, W, C), float32 or bfloat16, C a multiple of 32.
        taps: Kernels (k * k, C), float32, k one of ``KERNEL_SIZES``; zeros pad v.
        vectors: (4, C), float32: bias, scale, in_scale, in_shift.
        gelu: The activation is GELU, else ReLU.
        out: Where the result goes, like ``x``, and what is returned.
    """
    torch.ops.sacm_mm_cpu.token_mixing(x, taps, vectors, gelu, out)
    return out


def _torch_flags() -> list[str]:
    root = Path(torch.__file__).parent
    return [
        *('-std=c++20', '-O3', '-march=native', '-fno-math-errno', '-fPIC', '-fopenmp', '-shared'),
        f'-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}',
        f'-I{root}/include',
        f'-L{root}/lib',
        '-lc10',
        '-ltorch_cpu',
    ]


def call(
    x: Tensor, kernel: int, relu: bool, residual: bool, eps: float, **tensors: Tensor | None
) -> None:
    """Run a kernel on contiguous tensors; see ``struct Call`` for their names."""
    library = _library()
    assert library is not None
    batch, channels, height, width = x.shape
    # the values stay referenced by the caller
    library.sacm_run(
        ctypes.byref(
            _Call(
                type=_DTYPES[x.dtype],
                batch=batch,
                channels=channels,
                height=height,
                width=width,
                kernel=kernel,
                threads=torch.get_num_threads(),
                activation=int(relu),
                residual=int(residual),
                eps=eps,
                x=x.data_ptr(),
                **{k: v.data_ptr() for k, v in tensors.items() if v is not None},
            )
        )
    )


@cache
def _library() -> ctypes.CDLL | None:
    try:
        torch.ops.load_library(build(_SOURCE.with_name('token_mixing.cpp'), _torch_flags()))
        return ctypes.CDLL(str(build(_SOURCE, _FLAGS)))
    except (OSError, subprocess.SubprocessError):  # no OpenMP, an old compiler, a read-only home
        return None


def build(source: Path, flags: Sequence[str]) -> Path:
    """Compile a C++ file into the cache, whole or not at all, and return the library.

    Raises:
        OSError: There is no compiler, or nowhere to write.
        subprocess.SubprocessError: It does not compile.
    """
    compiler = next(filter(None, map(shutil.which, (os.environ.get('CXX', ''), 'c++', 'g++'))), '')
    if not compiler:
        raise FileNotFoundError('no C++ compiler')
    key = hashlib.sha256(source.read_bytes())
    key.update(' '.join((compiler, *flags, torch.__version__, _processor())).encode())
    folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'sacm_mm'
    library = folder / f'{source.stem}-{key.hexdigest()[:16]}.so'
    if not library.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            partial = Path(scratch, library.name)
            subprocess.run(
                [compiler, str(source), *flags, '-o', str(partial)],
                check=True,
                capture_output=True,
                timeout=_TIMEOUT_S,
            )
            partial.replace(library)
    return library


def _processor() -> str:
    """Name what ``-march=native`` depends on: a home directory serves many machines."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    names = ('model name', 'flags', 'Features', 'CPU part')
    return '\n'.join(sorted({line for line in lines if line.startswith(names)}))
