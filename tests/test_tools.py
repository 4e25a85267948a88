"""tools/train.py and tools/test.py: what they write."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from conftest import TINY_CIFAR
from PIL import Image

from sacm_mm.apis import fast
from sacm_mm.core import files
from sacm_mm.engine import optim_wrapper


def scalars(work_dir):
    """Every row that the run's starts logged."""
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]


def test_training_writes_checkpoint_and_logs(trained):
    assert (trained / 'iter_4.pth').is_file()
    assert list(trained.glob('*/vis_data/events.out.tfevents.*'))
    assert list(trained.glob('*/*.log'))
    rows = scalars(trained)
    assert [row['step'] for row in rows if 'loss' in row] == [1, 2, 3, 4]
    assert [row['step'] for row in rows if 'mIoU' in row] == [4]


def test_the_console_shows_a_run_in_few_lines_and_the_log_all_of_it(train, work, data):
    done = train(options=['train_cfg.max_iters=2', 'default_hooks.logger.interval=1'])
    console = done.out + done.err
    assert 'SAConvMixer' in console and '2 steps' in console
    assert 'Iter(train)' in console and 'loss: ' in console
    assert '|   Class    |  IoU' in console
    for chatter in ('Runtime environment', 'Config:', 'Hooks will be executed'):
        assert chatter not in console
        assert chatter in next(work.glob('*/*.log')).read_text()


def test_resume_goes_on_where_the_checkpoint_ends(trained, train, work, data):
    shutil.copytree(trained, work)
    (work / 'last_checkpoint').write_text('/moved/from/here/iter_4.pth')
    assert train('--resume', options=['train_cfg.max_iters=6']).code == 0
    assert [row['step'] for row in scalars(work) if 'loss' in row] == [1, 2, 3, 4, 5, 6]
    assert (work / 'iter_6.pth').is_file()
    done = train('--resume', options=['train_cfg.max_iters=6'])
    assert 'Nothing is left to train: the run has all of its 6 steps' in done.out + done.err


def test_resume_takes_a_named_checkpoint(trained, train, work, data):
    checkpoint = trained / 'iter_4.pth'
    assert train('--resume', checkpoint, options=['train_cfg.max_iters=5']).code == 0
    assert [row['step'] for row in scalars(work) if 'loss' in row] == [5]


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU trains in float16')
def test_amp_trains_in_bfloat16_without_a_gpu(train, work, data, monkeypatch):
    seen = set()
    convolve = torch.nn.functional.conv2d

    def spy(x, *arguments, **kwargs):
        out = convolve(x, *arguments, **kwargs)
        if torch.is_grad_enabled():
            seen.add(out.dtype)
        return out

    monkeypatch.setattr(torch.nn.functional, 'conv2d', spy)
    for module in (fast, optim_wrapper):  # emulated: slow, but the same
        monkeypatch.setattr(module, 'cpu_has_bfloat16', lambda: True)
    assert train('--amp', options=['train_cfg.max_iters=1']).code == 0
    assert seen == {torch.bfloat16}
    assert all(np.isfinite(row['loss']) for row in scalars(work) if 'loss' in row)


def test_testing_writes_masks_pictures_and_grid(test, work, data, tmp_path):
    out, shown, grid = tmp_path / 'masks', tmp_path / 'shown', tmp_path / 'deep/grid.png'
    done = test('--tta', '--out', out, '--show-dir', shown, '--grid', grid)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == str(grid)
    names = sorted(path.name for path in (data / 'test').iterdir())
    assert sorted(path.name for path in out.iterdir()) == names
    for name in names:
        mask = np.array(Image.open(out / name))
        assert mask.shape == (48, 64)
        assert mask.max() < 11
    assert len(list(shown.rglob('*.png'))) == len(names)
    with Image.open(grid) as picture:
        assert min(picture.size) > 500


@pytest.mark.parametrize('tta', [[], ['--tta']])
def test_the_authors_metric_is_computed_when_asked_for(test, data, tta):
    done = test(*tta, options=['test_evaluator.type=sacm_mm.PerImageIoUMetric'])
    assert done.code == 0, done.err
    assert 'authors/mIoU_per_image:' in done.out
    assert ' mIoU:' not in done.out


def test_classification_goes_through_the_same_tools(run_tool, cifar_root, tmp_path, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    common = ('--work-dir', tmp_path / 'work', '--cfg-options', *TINY_CIFAR)
    done = run_tool('train', 'sacm_cifar10.py', *common)
    assert done.code == 0, done.err
    assert [row['step'] for row in scalars(tmp_path / 'work') if 'accuracy/top1' in row] == [1]
    out, shown = tmp_path / 'out.pkl', tmp_path / 'shown'
    checkpoint = tmp_path / 'work/epoch_1.pth'
    done = run_tool(
        'test', 'sacm_cifar10.py', checkpoint, '--out', out, '--show-dir', shown, *common
    )
    assert done.code == 0, done.err
    assert 'accuracy/top1:' in done.out
    assert len(pickle.loads(out.read_bytes())) == 8
    assert len(list(shown.rglob('*.png'))) == 8
    done = run_tool(
        'test', 'sacm_cifar10.py', checkpoint, '--tta', '--show-dir', tmp_path / 'views',
        '--report', tmp_path / 'report', *common,
    )  # fmt: skip
    assert done.code == 0, done.err  # pictures that are in memory alone, and two views of each
    assert len(list((tmp_path / 'views').rglob('*.png'))) == 8
    assert (tmp_path / 'report/index.html').read_text().count('<figure>') == 8


def test_an_interrupted_checkpoint_leaves_no_file(train, work, data, monkeypatch):
    def interrupted(path):
        assert path.stat().st_size > 0  # it is written, and not yet in its place
        raise KeyboardInterrupt

    monkeypatch.setattr(files, '_to_disk', interrupted)
    assert train().code == 130
    assert [path for path in work.rglob('*') if 'iter' in path.name or 'partial' in path.name] == []
    assert not (work / 'last_checkpoint').exists()
