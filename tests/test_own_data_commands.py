"""The five commands on one's own data: data, train, test, predict, export."""

import numpy as np
import own_real_parts
import own_sources
import pytest
from PIL import Image

from sacm_mm.cli.main import main

# a work dir says all, so that nothing but the network's size and the length are changed
DENSE = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    'train_cfg.max_iters=4',
    'train_cfg.val_interval=2',
    'default_hooks.checkpoint.interval=2',
]
CLASSES = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.head.in_channels=16',
    'train_cfg.max_epochs=1',
]
LOADERS = [
    f'{part}_dataloader.{option}'
    for part in ('train', 'val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
]
SOURCES = {
    'colours': (['folder'], own_sources.folder_colours, [], 'photos'),
    'binary': (['folder'], own_sources.folder_binary, [], 'photos'),
    'one channel of 16 bits': (
        ['folder'], lambda root: own_sources.folder_tiff(root, 1, 'uint16'), [], 'photos'),
    'twelve channels of floats': (
        ['folder'], lambda root: own_sources.folder_tiff(root, 12, 'float32'), [], 'photos'),
    'coco': (['coco'], own_sources.coco, [], 'photos'),
    'labelme': (['labelme'], own_sources.labelme, [], 'set'),
    'classes': (['classes'], own_sources.classes, [], 'set'),
    'depth': (['depth'], own_sources.depth, ['--unit', 'mm', '--pattern', 'depth_{id}.png'],
              'photos'),
}  # fmt: skip
_DEPTH = ['--unit', 'mm', '--pattern', 'depth_{id}.png']
REAL = {  # the data set that must be at hand first
    'CamVid in colours': (
        'camvid', ['folder'], own_real_parts.colours, ['--ignore', 'void'], 'photos'),
    'CamVid as COCO': ('camvid', ['coco'], own_real_parts.coco, [], 'photos'),
    'CamVid as labelme': ('camvid', ['labelme'], own_real_parts.labelme, [], 'photos'),
    'CamVid, road or not': ('camvid', ['folder'], own_real_parts.binary, [], 'photos'),
    'CamVid in one channel of 16 bits': (
        'camvid', ['folder'], own_real_parts.one_channel_of_16_bits, [], 'photos'),
    'CIFAR-10': ('cifar10', ['classes'], own_real_parts.classes, [], 'pictures'),
    'NYUv2': ('nyu', ['depth'], own_real_parts.depth, _DEPTH, 'photos'),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('name', SOURCES)
def test_five_commands(name, tmp_path, monkeypatch, capfd):
    _run_the_five(*SOURCES[name], tmp_path, monkeypatch, capfd)


@pytest.mark.slow
@pytest.mark.parametrize('name', REAL)
def test_five_commands_on_a_part_of_a_published_set(name, tmp_path, monkeypatch, capfd):
    data, *source = REAL[name]
    if not own_real_parts.is_here(data):
        pytest.skip(f'{data} is not at hand')
    _run_the_five(*source, tmp_path, monkeypatch, capfd)


def _run_the_five(kind, write, options, photos, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    paths = write(tmp_path)
    changes = [*(CLASSES if kind == ['classes'] else DENSE), *LOADERS]

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        assert code == 0, capfd.readouterr().err

    run('data', *kind, *paths, '--out', 'mine', *options)
    assert (tmp_path / 'mine/check.html').is_file()
    run('train', 'mine', '--cfg-options', *changes)
    run('test', 'work_dirs/mine', '--report', 'report', '--cfg-options', *LOADERS)
    assert (tmp_path / 'report/index.html').is_file()
    run('predict', photos, 'work_dirs/mine', '--out', 'predicted')
    pictures = [p for p in (tmp_path / 'predicted').rglob('*.png') if p.is_file()]
    assert len(pictures) >= 10
    assert np.asarray(Image.open(pictures[0])).ndim == 3
    run('export', 'work_dirs/mine', '--out', 'mine.onnx')
    run('predict', photos, 'mine.onnx', '--out', 'again')
    assert len(list((tmp_path / 'again').rglob('*.png'))) == len(pictures)
