"""Where a figure comes from: code, machine, seed and logs, kept beside it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sacm_mm.core.checkpoints import find_checkpoint, load_checkpoint, state_dict_of
from sacm_mm.core.configs import open_data_root
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import atomic_write, write_json, write_text
from sacm_mm.core.run_log import (
    SCALARS,
    class_figures_of,
    compact_log,
    figures_of,
    joined_scalars,
    newest_log,
    read_log,
)


def write_record(
    folder: Path,
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
    """Write what is kept of a training run and its tests into a folder.

    Args:
        folder: For ``result.json``, the logs, the expanded config, the pictures; give one of
            ``publish_folder``, so that it appears when it is complete.
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
        UserError: A log or a test's figures are missing, or neither the training log nor a note
            says what made it.
    """
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
            name: {
                'figures': figures_of(log),
                **({'classes': classes} if (classes := class_figures_of(log)) else {}),
                'stamp': read_log(log)['stamp'],
            }
            for name, log in tests.items()
        },
    }
    write_json(result, folder / 'result.json')
    data = Path(os.environ.get('SACM_DATA', 'data'))
    places = [train_dir, *test_dirs.values(), *pictures, data]
    _keep_logs(starts, folder / 'train.log', compact, places)
    for name, log in tests.items():
        _keep_logs([log], folder / f'test_{name.replace(" ", "_")}.log', compact, places)
    lines = joined_scalars(log.parent / SCALARS for log in starts)
    write_text(''.join(f'{line}\n' for line in lines), folder / 'scalars.json')
    expanded = (train_log.parent / 'vis_data/config.py').read_text(encoding='utf-8')
    # the visualizer adds the first, with which a config does not load; a resumed run its place
    dropped = 'filename|work_dir' + ('|load_from|resume' if '\nresume = True' in expanded else '')
    config_text = open_data_root(re.sub(rf'^({dropped}) = .*\n', '', expanded, flags=re.M))
    write_text(_without_places(config_text, places), folder / 'config.py')
    for picture in pictures:
        copy = shutil.copytree if picture.is_dir() else shutil.copy2
        copy(picture, folder / picture.name)
    if keep_weights:
        _copy_weights(train_dir, folder / 'weights.pth')
    return result


def _keep_logs(logs: Sequence[Path], out: Path, compact: bool, places: Sequence[Path]) -> None:
    texts = [_without_places(log.read_text(encoding='utf-8'), places) for log in logs]
    if compact:
        lines = [line for text in texts for line in compact_log(text)]
        write_text('\n'.join(lines) + '\n', out)
    else:
        write_text(texts[-1], out)


def _without_places(text: str, places: Sequence[Path]) -> str:
    """Name folders from the one above them: where that was is a matter of that machine."""
    above = {path.parent for place in places for path in (place.absolute(), place.resolve())}
    for folder in sorted(map(str, above - {Path('/')}), key=len, reverse=True):
        # '/tmp' is not a part of '/var/tmp'
        text = re.sub(rf'(?<![\w.-]){re.escape(folder)}/', '', text)
    return text


def _copy_weights(work_dir: Path, out: Path) -> None:
    """Copy the weights and the data set's class names of the last checkpoint, nothing else."""
    import torch

    path = find_checkpoint(work_dir)
    checkpoint = load_checkpoint(path)
    meta = {'dataset_meta': checkpoint['meta']['dataset_meta']}
    with atomic_write(out) as partial:
        torch.save({'meta': meta, 'state_dict': state_dict_of(checkpoint, path)}, partial)
