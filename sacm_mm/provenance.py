"""Where a figure comes from: code, machine, seed and logs, kept beside it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sacm_mm import __version__
from sacm_mm.errors import UserError

PACKAGES = ('torch', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmpretrain')
_STAMP = 'sacm_mm stamp: '  # what precedes the JSON in a log
# what compact logs consist of: the stamp, the seed, the figures and their tables
_TELLS = re.compile(
    re.escape(_STAMP) + r'|^\s+seed: \d+$|Iter\((train|val|test)\)|Epoch\(|^[|+]|depth by protocol'
)
_TIME = re.compile(r'^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d')


def stamp() -> dict[str, Any]:
    """Describe the code and the machine that run now."""
    import torch

    return {
        'sacm_mm': __version__,
        'commit': commit_of(Path(__file__).parent),
        'python': platform.python_version(),
        **versions(*PACKAGES),
        'cpu': _cpu(),
        'cores': len(os.sched_getaffinity(0)),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def stamp_line() -> str:
    """Return the stamp as a log line that ``read_log`` finds again."""
    return _STAMP + json.dumps(stamp())


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
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:  # not Linux
        return platform.processor()
    found = re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE)
    return found.group(1) if found else platform.machine()


def newest_log(work_dir: Path) -> Path:
    """Return the newest text log of a work dir; its folder also holds the scalars.

    Raises:
        UserError: There is none.
    """
    logs = sorted(work_dir.glob('*/*.log'))
    if not logs:
        raise UserError(f"no log in '{work_dir}': give the work dir of a run that has ended")
    return logs[-1]


def read_log(log: Path) -> dict[str, Any]:
    """Read a run's stamp, its seed and the seconds from its first to its last line."""
    text = log.read_text(encoding='utf-8')
    found = re.search(re.escape(_STAMP) + r'(\{.*\})', text)
    seed = re.search(r'^\s+seed: (\d+)$', text, re.MULTILINE)
    return {
        'stamp': json.loads(found.group(1)) if found else None,
        'seed': int(seed.group(1)) if seed else None,
        'seconds': _seconds(text.splitlines()),
    }


def _seconds(lines: Sequence[str]) -> int | None:
    from datetime import datetime

    times = [m.group() for m in map(_TIME.match, lines) if m]
    if not times:
        return None
    first, last = (datetime.strptime(t, '%Y/%m/%d %H:%M:%S') for t in (times[0], times[-1]))
    return int((last - first).total_seconds())


def record_result(
    out: Path,
    config: str,
    train_dir: Path,
    test_dirs: Mapping[str, Path],
    commands: Sequence[str],
    pictures: Sequence[Path] = (),
    note: str = '',
    keep_weights: bool = False,
    compact: bool = False,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather a training run and its tests into ``out``, which appears when it is complete.

    Args:
        out: Folder to make: ``result.json``, the logs, the expanded config, the pictures.
        config: Config that was trained, as the commands name it.
        train_dir: Work dir of the training.
        test_dirs: Work dir of each test by its name, such as ``'whole'`` or ``'flip TTA'``.
        commands: The commands that give the figures again.
        pictures: Files and folders to keep beside them.
        note: What a reader has to know.
        keep_weights: Keep the last checkpoint's weights too, as ``weights.pth``.
        compact: Keep only what figures are read from of the logs, of all starts of the training.
        about: Further entries of ``result.json``.

    Raises:
        UserError: ``out`` exists, or a log or a test's figures are missing, or neither the training
            log nor a note says what made it.
    """
    if out.exists():
        raise UserError(f"'{out}' exists: a recorded result is not overwritten, remove it first")
    train_log = newest_log(train_dir)
    starts = sorted(train_dir.glob('*/*.log')) if compact else [train_log]
    run = read_log(train_log)
    if run['stamp'] is None and not note:
        raise UserError(
            f"'{train_log}' does not say which code and machine made it (tools/train.py of this "
            'project writes that): say it in a note'
        )
    tests = {name: newest_log(folder) for name, folder in test_dirs.items()}
    result = {
        'config': config,
        'commands': list(commands),
        'seed': run['seed'],
        'note': note,
        **(about or {}),
        'train': {
            'seconds': sum(read_log(start)['seconds'] or 0 for start in starts),
            'stamp': run['stamp'],
        },
        'test': {
            name: {'figures': _figures(log), 'stamp': read_log(log)['stamp']}
            for name, log in tests.items()
        },
    }
    partial = out.with_name(f'.{out.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        (partial / 'result.json').write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')
        _keep_logs(starts, partial / 'train.log', compact)
        for name, log in tests.items():
            _keep_logs([log], partial / f'test_{name.replace(" ", "_")}.log', compact)
        _keep_scalars(starts, partial / 'scalars.json')
        shutil.copy2(train_log.parent / 'vis_data/config.py', partial / 'config.py')
        for picture in pictures:
            copy = shutil.copytree if picture.is_dir() else shutil.copy2
            copy(picture, partial / picture.name)
        if keep_weights:
            _copy_weights(train_dir, partial / 'weights.pth')
        partial.replace(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return result


def _keep_logs(logs: Sequence[Path], out: Path, compact: bool) -> None:
    if compact:
        lines = [line for log in logs for line in _telling(log.read_text(encoding='utf-8'))]
        out.write_text('\n'.join(lines) + '\n', encoding='utf-8')
    else:
        shutil.copy2(logs[-1], out)


def _telling(text: str) -> list[str]:
    """Choose the lines of a log that a figure, a time or the code can be read from."""
    lines = text.splitlines()
    timed = [i for i, line in enumerate(lines) if _TIME.match(line)]
    ends = {timed[0], timed[-1]} if timed else set()
    return [line for i, line in enumerate(lines) if i in ends or _TELLS.search(line)]


def _keep_scalars(logs: Sequence[Path], out: Path) -> None:
    """Join the scalars of all starts; what a later one did again counts as it did it."""
    kept: list[tuple[int, str]] = []
    for log in logs:
        path = log.parent / 'vis_data/scalars.json'
        if not path.is_file():
            continue
        rows = [line for line in path.read_text(encoding='utf-8').splitlines() if line]
        steps = [(json.loads(line)['step'], line) for line in rows if line.endswith('}')]
        first = steps[0][0] if steps else 0
        kept = [(step, line) for step, line in kept if step < first] + steps
    out.write_text(''.join(f'{line}\n' for _, line in kept), encoding='utf-8')


def _figures(log: Path) -> dict[str, Any]:
    """Read the figures that mmengine's LoggerHook writes beside the log of a test."""
    path = log.with_suffix('.json')
    if not path.is_file():
        raise UserError(f"'{path}' does not exist: that test did not end")
    return json.loads(path.read_text(encoding='utf-8'))


def _copy_weights(work_dir: Path, out: Path) -> None:
    """Copy the weights and the data set's class names of the last checkpoint, nothing else."""
    import torch
    from mmengine.runner import CheckpointLoader

    from sacm_mm.launch import find_checkpoint

    path = find_checkpoint(str(work_dir))
    checkpoint = CheckpointLoader.load_checkpoint(path, map_location='cpu')
    meta = {'dataset_meta': checkpoint['meta']['dataset_meta']}
    torch.save({'meta': meta, 'state_dict': checkpoint['state_dict']}, out)
