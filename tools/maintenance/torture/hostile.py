"""Files that want to run code, to have others read, or to take all memory.

Each is given to the commands that read its kind. What a file wants to run makes a folder, which
must not be there afterwards; what it wants to have read is a secret, which must not be in what is
written; and no command may take more memory than a training does.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torture import hostile_data, hostile_pictures
from torture.bench import TASKS, Bench
from torture.box import Ended
from torture.tools import stock

_MOST_BYTES = 2 * 2**30  # a fork has half of that from the start
_SECRET = b'what only this file holds: 7c1f2a'


@dataclass
class Place:
    """Where a hostile file is made: its folder, what it may not make, and what it may not read."""

    folder: Path
    canary: Path
    secret: Path


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _calls(canary: Path) -> dict[str, Runs]:
    import subprocess

    path = str(canary)
    return {
        'os.mkdir': Runs(os.mkdir, path),
        'os.system': Runs(os.system, f'mkdir {path}'),
        'eval': Runs(eval, f'__import__("os").mkdir({path!r})'),
        'exec': Runs(exec, f'import os; os.mkdir({path!r})'),
        'subprocess': Runs(subprocess.call, ['mkdir', path]),
        'shutil.copytree': Runs(shutil.copytree, '/proc/self/fdinfo', path),
        'getattr': Runs(getattr, Runs(os.mkdir, path), 'real'),
    }


_PLACES = ('meta', 'message_hub', 'optimizer', 'param_schedulers', 'state_dict', 'tensor', 'alone')
_FORMS = ('zip', 'before 1.6', 'bare pickle')


def _checkpoint(place: str, call: Runs, form: str, weights: dict[str, Any], path: Path) -> None:
    import torch

    content: Any = {'state_dict': weights, 'meta': {}}
    if place == 'alone':
        content = call
    elif place == 'tensor':
        content['state_dict'] = {**weights, 'x': call}
    else:
        content[place] = call
    if form == 'bare pickle':
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == 'zip')


def _readers(stock_: Path) -> dict[str, Sequence[object]]:
    """Return every way to have a file of weights read, ``a.pth`` or its folder ``run``."""
    task = TASKS['segmentation']
    options = task.cfg_options()
    return {
        'test': ['test', task.config, 'a.pth', '--work-dir', 'w', *options],
        'test a work dir': ['test', task.config, 'run', '--work-dir', 'w', *options],
        'predict': ['predict', stock_ / 'photos', task.config, 'a.pth', '--out', 'o'],
        'export': ['export', task.config, 'a.pth', '--out', 'm.onnx'],
        'train --resume': task.train('w', '--resume', 'a.pth'),
        'train --resume of a work dir': task.train('run', '--resume'),
        'train --weights': task.train('w', '--weights', 'a.pth'),
        'load_from': task.train('w', load_from='a.pth'),
        'init_cfg': task.train('w', model__backbone__init_cfg__type='Pretrained',
                               model__backbone__init_cfg__checkpoint='a.pth'),
        'convert': ['convert', 'a.pth', 'b.pth'],
        'convert --to': ['convert', 'a.pth', 'b.pth', '--to', 'timm'],
    }  # fmt: skip


def run(bench: Bench) -> None:
    """Give every kind of file to every kind of reader."""
    _run_weights(bench)
    for name, write, arguments in (
        *hostile_data.files(stock(bench)),
        *hostile_pictures.files(stock(bench)),
    ):
        with _place(bench, name) as place:
            write(place.folder, place.canary, place.secret)
            ended = bench.run(arguments, place.folder, 120)
            _assert_harmless(bench, ended, place)


def _run_weights(bench: Bench) -> None:
    from torture.bench import weights

    found = weights(stock(bench) / 'segmentation' / TASKS['segmentation'].last)
    readers = _readers(stock(bench))
    plans = [(place, form, bench.random.choice(list(readers))) for place in _PLACES
             for form in _FORMS]  # fmt: skip
    plans += [(bench.random.choice(_PLACES), bench.random.choice(_FORMS), r) for r in readers]
    for place_in, form, reader in plans:
        with _place(bench, f'{form} that runs code in {place_in}: {reader}') as place:
            calls = _calls(place.canary)
            call = calls[bench.random.choice(list(calls))]
            (place.folder / 'run').mkdir()
            for path in (place.folder / 'a.pth', place.folder / 'run/iter_99.pth'):
                _checkpoint(place_in, call, form, found, path)
            ended = bench.run(readers[reader], place.folder, 120)
            _assert_harmless(bench, ended, place)


class _place:
    """A case with its folder: ``with _place(bench, name) as place``."""

    def __init__(self, bench: Bench, name: str) -> None:
        self._case = bench.case(name)
        root = bench.scratch()
        self.place = Place(root / 'inside', root / 'canary', root / 'secret.bin')
        self.place.folder.mkdir()
        self.place.secret.write_bytes(_SECRET * 4000)

    def __enter__(self) -> Place:
        self._case.__enter__()
        return self.place

    def __exit__(self, *error: Any) -> bool | None:
        return self._case.__exit__(*error)


def _assert_harmless(bench: Bench, ended: Ended, place: Place) -> None:
    bench.notes['hostile files'] += 1
    assert not place.canary.exists(), 'it ran code'
    assert ended.peak_bytes < _MOST_BYTES, f'it took {ended.peak_bytes / 2**30:.1f} GiB'
    if ended.code not in (0, 3):  # some are read without what is hostile in them
        ended.refusal()
        bench.notes['of these refused in one line'] += 1
    assert 'Traceback' not in ended.err, ended.tail()
    for path in _written(place.folder):
        assert _SECRET not in path.read_bytes(), f'{path.name} holds what it may not read'


def _written(folder: Path) -> Iterator[Path]:
    for path in folder.rglob('*'):
        if path.is_file() and not path.is_symlink():
            yield path
