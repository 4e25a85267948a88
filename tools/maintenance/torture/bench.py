"""What every group of the campaign has: a folder, data, networks of seconds, and a list of ends."""

from __future__ import annotations

import json
import random
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torture.box import Command, Ended, start

# A network of some thousand weights, and pictures of 48 x 64 pixels: a training takes 2 seconds.
_TINY = {
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'val_dataloader.num_workers': 0,
    'test_dataloader.num_workers': 0,
    'default_hooks.logger.interval': 1,
}
_DENSE = {
    'train_cfg.max_iters': 12,
    'train_cfg.val_interval': 6,
    'default_hooks.checkpoint.interval': 3,
    **_TINY,
}
_NYU = {'model.backbone.arch': 'd16-l2-k3-p8', 'model.decode_head.in_channels': 16, **_DENSE}


@dataclass(frozen=True)
class Task:
    """A config and what makes it tiny."""

    config: str
    options: Mapping[str, Any]
    last: str

    def train(self, work: object, *flags: object, **options: object) -> list[object]:
        """Return the arguments of its training; ``a__b=1`` sets ``a.b``."""
        return ['train', self.config, '--work-dir', work, *flags, *self.cfg_options(**options)]

    def cfg_options(self, **options: object) -> list[str]:
        """Return the flag that makes it tiny."""
        changed = {**self.options, **{k.replace('__', '.'): v for k, v in options.items()}}
        return ['--cfg-options', *(f'{key}={value}' for key, value in changed.items())]


TASKS = {
    'segmentation': Task(
        'sacm_camvid_light',
        {
            'model.backbone.arch': 'd16-l2-k3-p4',
            'model.decode_head.in_channels': 16,
            'model.decode_head.upscale_factor': 4,
            'scale': '(64,48)',
            'crop_size': '(32,32)',
            **_DENSE,
        },
        'iter_12.pth',
    ),
    'classification': Task(
        'sacm_cifar10_light',
        {
            'model.backbone.arch': 'd16-l2-k3-p4',
            'model.head.in_channels': 16,
            'train_cfg.max_epochs': 4,
            **_TINY,
            'train_dataloader.batch_size': 4,
        },
        'epoch_4.pth',
    ),
    'depth': Task('sacm_nyu_light', _NYU, 'iter_12.pth'),
    'joint': Task('sacm_nyu_joint_light', {**_NYU, 'model.depth_head.in_channels': 16},
                  'iter_12.pth'),
}  # fmt: skip


class _Skipped(Exception):
    """A case that is not run again."""


@dataclass
class Bench:
    """Runs commands in scratch folders and notes how each case ended."""

    group: str
    seed: int
    folder: Path
    random: random.Random = field(init=False)
    cases: list[dict[str, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    only: set[str] | None = None  # names of cases
    _count: int = 0
    _skip: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(f'{self.seed} {self.group}')
        self.started = time.monotonic()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    @property
    def data(self) -> Path:
        """The sample data, made when they are first asked for; not to be changed."""
        folder = self.folder.parent / 'data'
        if not folder.exists():
            write_data(folder)
        return folder

    def scratch(self, name: str = 'case') -> Path:
        """Make an empty folder."""
        self._count += 1
        folder = self.folder / f'{name}{self._count}'
        folder.mkdir()
        return folder

    def start(self, arguments: Sequence[object], cwd: Path, **more: Any) -> Command:
        """Start a command whose configs find the sample data; see ``box.start``."""
        if self._skip:
            raise _Skipped
        self._count += 1
        log = self.folder / f'log{self._count}'
        environment = {'SACM_DATA': str(self.data), **more.pop('environment', {})}
        return start(arguments, cwd, log, environment, **more)

    def run(
        self, arguments: Sequence[object], cwd: Path, limit_s: float = 180, **more: Any
    ) -> Ended:
        """Run a command to its end."""
        return self.start(arguments, cwd, **more).wait(limit_s)

    def must(self, arguments: Sequence[object], cwd: Path, **more: Any) -> Ended:
        """Run what the group needs.

        Raises:
            RuntimeError: It fails.
        """
        ended = self.run(arguments, cwd, **more)
        if ended.code:
            raise RuntimeError(f'{arguments} ended with {ended.code}: {ended.err[-2000:]}')
        return ended

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Note a case: a failed assertion is what the campaign is looking for."""
        problem = ''
        self._skip = self.only is not None and name not in self.only
        try:
            yield
        except _Skipped:
            return
        except Exception as error:  # one case that cannot be done does not end the others
            kind = '' if isinstance(error, AssertionError) else f'{type(error).__name__}: '
            problem = kind + (' '.join(str(error).split()) or 'failed')
            print(f'  FAILED {self.group}: {name}: {problem[:600]}', flush=True)
        finally:
            self._skip = False
        self.cases.append({'case': name, 'problem': problem})

    def summary(self) -> dict[str, Any]:
        """Return what the table needs."""
        return {
            'group': self.group,
            'cases': len(self.cases),
            'failed': [case for case in self.cases if case['problem']],
            'notes': dict(self.notes),
            'minutes': (time.monotonic() - self.started) / 60,
        }


def write_data(folder: Path) -> None:
    """Write sample data of 8 and 4 pictures."""
    from sample_data.layouts import WRITERS, Sizes

    for name in ('camvid', 'cifar10', 'nyu'):
        size = (32, 32) if name == 'cifar10' else (48, 64)
        WRITERS[name](folder, sizes=Sizes(train=8, val=4, size=size))


def weights(path: Path) -> dict[str, Any]:
    """Read a checkpoint as PyTorch's default does."""
    import torch

    return torch.load(path, weights_only=True)['state_dict']


def assert_same_weights(found: Path, wanted: Path) -> None:
    """Compare two checkpoints bit by bit.

    Raises:
        AssertionError: They differ, or there is none.
    """
    import torch

    assert found.is_file(), f'there is no {found.name}'
    first, second = weights(found), weights(wanted)
    other = [key for key in second if not torch.equal(first[key], second[key])]
    assert first.keys() == second.keys() and not other, f'{len(other)} tensors differ: {other[:2]}'


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """List the files of a folder with size and time."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }


def torn(folder: Path) -> list[str]:
    """List the files below a folder that look finished and are not."""
    found = []
    for path in folder.rglob('*'):
        check = _CHECKS.get(path.suffix)
        name = str(path.relative_to(folder))  # of hosts' logs only the checkpoints matter
        if not path.is_file() or check is None or '.partial' in name or 'vis_data' in name:
            continue
        try:
            check(path)
        except Exception as error:  # whatever a reader makes of half a file
            found.append(f'{path.relative_to(folder)} ({type(error).__name__}: {error})'[:150])
    return found


def checkpoints(work: Path) -> list[Path]:
    """List the finished checkpoints of a work dir."""
    return sorted(path for path in work.glob('*.pth') if not path.name.startswith('.'))


def partial_files(folder: Path) -> list[str]:
    """List what is left of files that were not finished."""
    return [str(p.relative_to(folder)) for p in folder.rglob('*') if '.partial' in p.name]


def _read_picture(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()


def _read_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def _read_onnx(path: Path) -> None:
    import onnx

    onnx.checker.check_model(str(path))


def _read_page(path: Path) -> None:
    assert '</html>' in path.read_text('utf-8')[-2000:]


def _read_pickle(path: Path) -> None:
    assert path.read_bytes()[-1:] == b'.'


def _parse(path: Path) -> None:
    compile(path.read_text('utf-8'), path.name, 'exec')


_CHECKS: dict[str, Callable[[Path], Any]] = {
    '.png': _read_picture, '.jpg': _read_picture, '.webp': _read_picture, '.onnx': _read_onnx,
    '.pth': _read_zip, '.pt2': _read_zip, '.html': _read_page, '.pkl': _read_pickle,
    '.json': lambda path: path.name == 'scalars.json' or json.loads(path.read_text('utf-8')),
    '.csv': lambda path: path.read_text('utf-8').index('\n'), '.py': _parse,
}  # fmt: skip
