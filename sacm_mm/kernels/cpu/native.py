"""Build and load the compiled kernels of ``csrc/``; where there is no compiler there are none.

Those of training and of inference are each compiled when they are first needed, for seconds to a
minute, and kept in ``$XDG_CACHE_HOME/sacm_mm``. They share PyTorch's OpenMP threads. What they
compute is defined in ``operators``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import check_writable
from sacm_mm.core.machine import cache_folder, cpuinfo

_SOURCES = Path(__file__).with_name('csrc')
_TORCH = Path(torch.__file__).parent
_FLAGS = (
    '-std=c++20',
    '-O3',
    '-march=native',
    '-ffp-contract=fast',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-fopenmp',
    '-shared',
    '-fPIC',
    f'-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}',
    f'-I{_TORCH}/include',
    f'-L{_TORCH}/lib',
    '-lc10',
    '-ltorch_cpu',
)
_TIMEOUT_S = 900  # on a machine with other work
KERNEL_SIZES = (3, 5, 7, 9)  # of the depthwise convolutions


@torch.compiler.assume_constant_result
def available(purpose: str) -> bool:
    """Tell whether kernels run on this machine; the first call compiles them.

    Args:
        purpose: ``'training'`` or ``'inference'``.
    """
    return not why_not(purpose)


@cache
def why_not(purpose: str) -> str:
    """Say why no kernels run on this machine; empty if they do. The first call compiles them."""
    try:
        torch.ops.load_library(_build(_SOURCES / f'{purpose}.cpp'))
    except subprocess.CalledProcessError as error:  # no OpenMP, an old compiler
        said = error.stderr.decode(errors='replace').strip().splitlines()
        return f'{error.cmd[0]} does not compile them: {said[0] if said else "no reason given"}'
    except (OSError, UserError, subprocess.SubprocessError) as error:
        return one_line(error)
    return ''


def find_compiler() -> str | None:
    """Return the C++ compiler: ``$CXX``, or the machine's."""
    return next(filter(None, map(shutil.which, (os.environ.get('CXX', ''), 'c++', 'g++'))), None)


def _build(source: Path) -> Path:
    """Compile a source into the cache, whole or not at all, and return the library.

    Raises:
        OSError: There is no compiler, or nowhere to write.
        UserError: The folder cannot be written.
        subprocess.SubprocessError: It does not compile.
    """
    compiler = find_compiler()
    if compiler is None:
        raise OSError('no C++ compiler')
    key = hashlib.sha256(' '.join((compiler, *_FLAGS, torch.__version__, _processor())).encode())
    for file in (source, *sorted(_SOURCES.glob('*.h'))):
        key.update(file.read_bytes())
    folder = cache_folder()
    library = folder / f'{source.stem}-{key.hexdigest()[:16]}.so'
    if not library.is_file():
        check_writable(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            partial = Path(scratch, library.name)
            subprocess.run(
                [compiler, str(source), *_FLAGS, '-o', str(partial)],
                check=True,
                capture_output=True,
                timeout=_TIMEOUT_S,
            )
            partial.replace(library)
    return library


def _processor() -> str:
    """Name what ``-march=native`` depends on: a home directory serves many machines."""
    names = ('model name', 'flags', 'Features', 'CPU part')
    lines = {line for line in cpuinfo().splitlines() if line.startswith(names)}
    return '\n'.join(sorted(lines)) or platform.processor()
