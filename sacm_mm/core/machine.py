"""Which code runs on which machine."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacm_mm import __version__
from sacm_mm.core.errors import UserError

if TYPE_CHECKING:
    import torch

PACKAGES = ('torch', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmpretrain')
STAMP = 'sacm_mm stamp: '  # what precedes the JSON in a log


def stamp() -> dict[str, Any]:
    """Describe the code and the machine that run now."""
    import torch

    gpu = torch.cuda.is_available()
    return {
        'sacm_mm': __version__,
        'commit': commit_of(Path(__file__).parent),
        'python': platform.python_version(),
        **versions(*PACKAGES),
        'cpu': cpu_name(),
        'cores': len(os.sched_getaffinity(0)),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name() if gpu else None,
        'bfloat16': torch.cuda.is_bf16_supported(False) if gpu else cpu_has_bfloat16(),
    }


def stamp_line() -> str:
    """Return the stamp as a log line that ``run_log.read_log`` finds again."""
    return STAMP + json.dumps(stamp())


def choose_device(name: str | None) -> str:
    """Return a torch device of this machine: the named one, or by default a GPU where there is one.

    Raises:
        UserError: It has none of that name.
    """
    import torch

    gpus = torch.cuda.device_count()
    if name is None:
        return 'cuda:0' if gpus else 'cpu'
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"device '{name}' cannot be used: it is cpu, cuda:0, ...") from error
    if device.type == 'meta' or (device.type == 'cuda' and (device.index or 0) >= gpus):
        raise UserError(f"device '{name}' cannot be used: this machine has {gpus} GPUs")
    return name


def cache_folder() -> Path:
    """Return where what was compiled or downloaded is kept: ``$XDG_CACHE_HOME/sacm_mm``.

    Raises:
        OSError: The user has no home, as in some containers.
    """
    try:
        return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache', 'sacm_mm')
    except RuntimeError as error:
        raise OSError('this user has no home directory: set XDG_CACHE_HOME') from error


def synchronize(device: str | torch.device) -> None:
    """Wait for what a GPU still works on, before the time is taken."""
    import torch

    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def commit_of(folder: Path) -> str | None:
    """Return the commit of a folder's repository, with ``+changes`` where files differ from it.

    Those in ``results`` do not count: what measures writes there.
    """
    git = ('git', '-C', str(folder))
    try:
        commit = _output(*git, 'rev-parse', 'HEAD')
        code = (':(top)', ':(top,exclude)results')
        changed = _output(*git, 'status', '--porcelain', '--untracked-files=no', '--', *code)
    except (OSError, subprocess.CalledProcessError):
        return None  # an installed copy
    return f'{commit}+changes' if changed else commit


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def versions(*names: str) -> dict[str, str | None]:
    """Return the versions of distributions, None for those that are not installed."""
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def cpu_name() -> str:
    """Return the processor's name."""
    found = re.search(r'^model name\s*:\s*(.+)$', cpuinfo(), re.MULTILINE)
    return found.group(1) if found else platform.processor() or platform.machine()


def cpu_has_bfloat16() -> bool:
    """Tell whether the processor multiplies in bfloat16; others only emulate it."""
    return re.search(r'\b(avx512_bf16|amx_bf16|bf16)\b', cpuinfo()) is not None


def cpuinfo() -> str:
    """Return what Linux says of each core; empty elsewhere."""
    try:
        return Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        return ''
