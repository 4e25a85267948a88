"""The commands that write files, besides training; each writes below ``out``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torture.bench import TASKS, Bench, snapshot
from torture.box import ROOT


@dataclass(frozen=True)
class Tool:
    """A command: its arguments, of the folder that ``stock`` has made, and what it needs."""

    name: str
    arguments: Callable[[Path], Sequence[object]]
    prepare: Callable[[Path, Path], None] = lambda stock, folder: None
    rerun: bool = True  # whether it may be started again over what it has finished


def stock(bench: Bench) -> Path:
    """Return the folder with what commands read: trained networks, pictures, a video, .mat files.

    It is made when it is first asked for, and not to be changed.
    """
    folder = bench.folder.parent / 'stock'
    if folder.exists():
        return folder
    making = folder.with_name('stock.partial')
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for name, task in TASKS.items():
        bench.must(task.train(name), making)
    bench.must(['test', TASKS['segmentation'].config, 'segmentation', '--work-dir', 'tested',
                *TASKS['segmentation'].cfg_options()], making)  # fmt: skip
    _write_pictures(making / 'photos', making / 'masks')
    _write_video(making / 'clip.mp4')
    _write_mats(making)
    making.rename(folder)
    return folder


def outputs(folder: Path) -> set[str]:
    """List what a command has written, without logs, whose names have the time."""
    logs = re.compile(r'\d{8}_\d{6}|\.lock$|tfevents')
    return {name for name in snapshot(folder) if not logs.search(name)}


def _write_pictures(photos: Path, masks: Path) -> None:
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for folder in (photos, masks):
        folder.mkdir()
    for number in range(12):
        mask = np.zeros((48, 64), np.uint8)
        y, x = random.integers(4, 24, 2)
        mask[y : y + 16, x : x + 24] = 1
        photo = random.integers(0, 90, (48, 64, 3), dtype=np.uint8) + 120 * mask[..., None]
        cv2.imwrite(str(photos / f'{number}.png'), photo)
        cv2.imwrite(str(masks / f'{number}.png'), mask)


def _write_video(path: Path) -> None:
    import cv2
    import numpy as np

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    writer.release()


def _write_mats(folder: Path) -> None:
    """Write the files of NYU Depth v2 as they are published, of 6 small pictures."""
    import h5py
    import numpy as np
    import scipy.io

    random = np.random.default_rng(0)
    with h5py.File(folder / 'nyu.mat', 'w') as file:
        file['images'] = random.integers(0, 255, (6, 3, 64, 48), dtype=np.uint8)
        file['depths'] = random.uniform(0.7, 9.9, (6, 64, 48)).astype(np.float32)
        file['labels'] = random.integers(0, 5, (6, 64, 48)).astype(np.uint16)
    splits = {name: np.array(n, np.uint16)[:, None]
              for name, n in (('trainNdxs', [2, 4, 6]), ('testNdxs', [1, 3]))}  # fmt: skip
    scipy.io.savemat(folder / 'splits.mat', splits)
    scipy.io.savemat(folder / 'map.mat', {'mapClass': np.array([[1, 40, 39, 7]], np.uint8)})


def _test(task: str, *flags: object) -> Callable[[Path], Sequence[object]]:
    found = TASKS[task]
    return lambda stock: ['test', found.config, stock / task, '--work-dir', 'out/test', *flags,
                          *found.cfg_options()]  # fmt: skip


def _export(*flags: object) -> Callable[[Path], Sequence[object]]:
    return lambda stock: ['export', stock / 'segmentation', *flags]


def _copy_study(stock: Path, folder: Path) -> None:
    shutil.copytree(ROOT / 'results/stem_camvid', folder / 'out')


TOOLS = [
    Tool('export to ONNX', _export('--out', 'out/m.onnx')),
    Tool('export to OpenVINO', _export('--out', 'out/m.xml')),
    Tool('export to .pt2', _export('--out', 'out/m.pt2')),
    Tool('export a model folder', _export('--card', 'out/card', '--no-page'), rerun=False),
    Tool('convert', lambda _: ['convert', ROOT / 'results/cifar10_light/weights.pth',
                               'out/timm.pth', '--to', 'timm']),
    Tool('predict pictures', lambda stock: [
        'predict', stock / 'photos', stock / 'segmentation', '--out', 'out', '--save',
        'overlay,masks,json', '--overwrite']),
    Tool('predict a video', lambda stock: [
        'predict', stock / 'clip.mp4', stock / 'segmentation', '--out', 'out', '--overwrite']),
    Tool('test --out masks', _test('segmentation', '--out', 'out/masks')),
    Tool('test --out depth', _test('depth', '--out', 'out/depth')),
    Tool('test --out .pkl', _test('classification', '--out', 'out/scores.pkl')),
    Tool('test --grid, --show-dir', _test('segmentation', '--grid', 'out/grid.png', '--show-dir',
                                          'out/shown')),
    Tool('test --report', _test('segmentation', '--report', 'out/report'), rerun=False),
    Tool('data', lambda stock: ['data', 'folder', stock / 'photos', stock / 'masks', '--out',
                                'out/mine']),
    Tool('prepare', lambda stock: [
        'prepare', 'nyu', stock / 'nyu.mat', '--splits', stock / 'splits.mat', '--classes40',
        stock / 'map.mat', '--out', 'out/data'], rerun=False),
    Tool('make_sample_data', lambda _: ['make_sample_data.py', 'camvid', '--out', 'out', '--train',
                                        8, '--val', 4, '--size', 48, 64]),
    Tool('swap', lambda _: ['swap', 'sacm_voc', '--backbone', 'sa-convmixer-d32-l2-k3-p4', '--out',
                            'out/swapped.py']),
    Tool('plot', lambda stock: ['plot', stock / 'segmentation', '--out', 'out/curves.png', '--csv',
                                'out/curves.csv']),
    Tool('study report', lambda _: ['study', 'report', 'stem_camvid', '--rebuild', '--out', 'out'],
         _copy_study),
    Tool('record_result', lambda stock: [
        'maintenance/record_result.py', TASKS['segmentation'].config, stock / 'segmentation',
        '--out', 'out/result', '--test', f'whole={stock / "tested"}', '--command', 'x',
        '--weights'], rerun=False),
    Tool('benchmark complexity', lambda _: [
        'benchmark', 'complexity', 'sa-convmixer-d32-l2-k3-p4', '--size', 64, '--out',
        'out/costs.csv']),
]  # fmt: skip
