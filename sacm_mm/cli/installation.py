"""``sacm check`` without a data set: what is installed and what this machine can do."""

from __future__ import annotations

import os
import sys
from importlib import metadata

from packaging.requirements import Requirement

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import check_writable
from sacm_mm.core.machine import PACKAGES, cache_folder, cpu_has_bfloat16, cpu_name, versions

_WORTH = {
    'export': 'ONNX files, and the runtimes that run them',
    'dev': 'tests and checks of this project',
}


def check_installation() -> list[str]:
    """Say what is there and what is not, and the one command that mends it."""
    lines = _machine()
    missing: dict[str, list[str]] = {}
    for requirement, extra in _requirements():
        if not _fits(requirement):
            missing.setdefault(extra, []).append(str(requirement).partition(';')[0].strip())
    installed = versions(*PACKAGES, 'onnxruntime', 'openvino')
    lines.append('installed: ' + ', '.join(f'{n} {v}' for n, v in installed.items() if v))
    for extra, names in missing.items():
        what = f' (extra "{extra}": {_WORTH[extra]})' if extra in _WORTH else ''
        lines.append(f'missing{what}: {", ".join(names)}')
    wanted = [*missing.get('', []), *missing.get('export', [])]
    if wanted:
        quoted = ' '.join(f"'{name}'" for name in wanted)
        lines.append(f'mend it with: {sys.executable} -m pip install {quoted}')
    else:
        lines.append('nothing that training, testing and exporting need is missing')
    return lines


def _machine() -> list[str]:
    import torch

    from sacm_mm.kernels.cpu.native import find_compiler

    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    lines = [
        f'python {sys.version.split()[0]} on {cpu_name()}: {len(os.sched_getaffinity(0))} cores, '
        f'{torch.get_num_threads()} threads',
        f'memory: {memory:.0f} GiB',
        f'bfloat16: {"in hardware" if cpu_has_bfloat16() else "not in hardware: --amp is slow"}',
    ]
    if torch.cuda.is_available():
        total = torch.cuda.get_device_properties(0).total_memory / 2**30
        lines.append(f'GPU: {torch.cuda.get_device_name(0)}, {total:.0f} GiB')
    else:
        lines.append('GPU: none that PyTorch sees')
    lines.append(f'C++ compiler: {find_compiler() or "none: fast kernels stay off, install g++"}')
    try:
        check_writable(cache_folder())
    except (OSError, UserError) as error:
        lines.append(f'fast kernels stay off, they have no place: {one_line(error)}')
    return lines


def _requirements() -> list[tuple[Requirement, str]]:
    """List what the package asks for, each with its extra, or nothing for what it always needs."""
    try:
        texts = metadata.requires('sacm_mm') or []
    except metadata.PackageNotFoundError:  # run from a source tree
        return []
    found = []
    for text in texts:
        requirement = Requirement(text)
        extra = next((e for e in _WORTH if f'"{e}"' in str(requirement.marker or '')), '')
        applies = requirement.marker is None or requirement.marker.evaluate({'extra': extra})
        if applies:
            found.append((requirement, extra))
    return found


def _fits(requirement: Requirement) -> bool:
    names = [requirement.name]
    if requirement.name == 'opencv-python':
        names.append('opencv-python-headless')
    for name in names:
        try:
            return requirement.specifier.contains(metadata.version(name), prereleases=True)
        except metadata.PackageNotFoundError:
            continue
    return False
