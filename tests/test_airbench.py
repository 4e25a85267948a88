"""What the second CIFAR-10 recipe adds: a whitening start, alternating flips, six views."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY_CIFAR
from mmengine.dataset import Compose
from mmengine.registry import MODELS, init_default_scope

from sacm_mm.core.checkpoints import load_checkpoint
from sacm_mm.core.configs import load_config
from sacm_mm.datasets.flips import AlternatingFlip
from sacm_mm.datasets.seeding import Draw
from sacm_mm.engine.exact_resume import DefaultSampler, InfiniteSampler
from sacm_mm.engine.whiten_stem import whitening


def _shown(epoch, images=1000):
    flip = AlternatingFlip()
    img = np.arange(2, dtype=np.uint8).reshape(1, 2, 1)
    draws = [Draw(i, 0, 0, epoch) for i in range(images)]
    return [
        int(flip.transform(dict(img=img, img_shape=(1, 2), sample_idx=d))['img'][0, 0, 0])
        for d in draws
    ]


def test_two_epochs_show_every_image_both_ways():
    first, second, third = _shown(0), _shown(1), _shown(2)
    assert [a + b for a, b in zip(first, second)] == [1] * len(first)
    assert first == third
    assert 400 < sum(first) < 600
    assert 30 < sum(first[:100]) < 70


def test_without_a_sampler_of_ours_images_are_left_or_mirrored():
    flip = AlternatingFlip()
    img = np.zeros((2, 2, 3), np.uint8)
    assert flip.transform(dict(img=img, img_shape=(2, 2), sample_idx=3))['img'].shape == (2, 2, 3)


@pytest.mark.parametrize('epoch', [0, 3])
def test_the_samplers_count_epochs(epoch):
    sampler = DefaultSampler(range(5), seed=0)
    sampler.set_epoch(epoch)
    assert [draw.epoch for draw in sampler] == [epoch] * 5
    stream = iter(InfiniteSampler(range(5), seed=0))
    assert [next(stream).epoch for _ in range(12)] == [0] * 5 + [1] * 5 + [2] * 2


def test_principal_directions_come_out_white():
    torch.manual_seed(0)
    images = F.interpolate(torch.randn(64, 3, 8, 8), scale_factor=2, mode='bilinear') * 3 + 1
    weight, bias = whitening(images, 2, 40)
    assert weight.shape == (40, 12) and bias.shape == (40,)
    out = F.pixel_unshuffle(images, 2).permute(0, 2, 3, 1).flatten(0, 2) @ weight.T + bias
    torch.testing.assert_close(torch.cov(out[:, :12].T), torch.eye(12), atol=0.02, rtol=0)
    torch.testing.assert_close(out.mean(0), torch.zeros(40), atol=1e-3, rtol=0)
    torch.testing.assert_close(out[:, 12:24], -out[:, :12])
    torch.testing.assert_close(out[:, 24:].var(0), torch.ones(16), atol=0.02, rtol=0)
    assert whitening(images, 2, 5)[0].shape == (5, 12)


def test_a_run_starts_white_and_goes_on_as_it_is(run_tool, tmp_path, cifar_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    options = [*TINY_CIFAR, 'optim_wrapper.optimizer.lr=0']
    train = ('train', 'sacm_cifar10_airbench', '--work-dir', tmp_path)
    assert run_tool(*train, '--cfg-options', *options).code == 0
    weight = load_checkpoint(tmp_path / 'epoch_1.pth')['state_dict']['backbone.stem.proj.weight']
    assert (
        run_tool(*train, '--resume', '--cfg-options', *options, 'train_cfg.max_epochs=2').code == 0
    )
    logs = ''.join(log.read_text() for log in tmp_path.glob('*/*.log'))
    assert logs.count('The stem starts by whitening') == 1
    again = load_checkpoint(tmp_path / 'epoch_2.pth')['state_dict']['backbone.stem.proj.weight']
    assert torch.equal(weight, again)


@pytest.mark.slow
def test_processes_start_from_one_stem(tmp_path, cifar_root):
    script = tmp_path / 'train_two.py'
    script.write_text(
        'import torch.distributed as dist\n'
        'from sacm_mm.apis.train import train\n'
        f'options = {[*TINY_CIFAR, "randomness.diff_rank_seed=True"]}\n'
        "how = dict(work_dir='run', launcher='pytorch', options=options)\n"
        "runner = train('sacm_cifar10_airbench', **how)\n"
        'mine = runner.model.module.backbone.stem.proj.weight.tolist()\n'
        'found = [None, None]\n'
        'dist.all_gather_object(found, mine)\n'
        'assert found[0] == found[1]\n'
    )
    command = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2', str(script)]
    environment = {**os.environ, 'SACM_DATA': str(cifar_root), 'OMP_NUM_THREADS': '1'}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)


def test_weights_of_another_training_keep_their_stem(run_tool, tmp_path, cifar_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    options = [*TINY_CIFAR, 'optim_wrapper.optimizer.lr=0']
    cfg = load_config('sacm_cifar10_airbench', options)
    init_default_scope('mmpretrain')
    weights = MODELS.build(cfg.model).state_dict()
    torch.save(weights, tmp_path / 'w.pth')
    train = ('train', 'sacm_cifar10_airbench', '--work-dir', tmp_path / 'work')
    assert run_tool(*train, '--weights', tmp_path / 'w.pth', '--cfg-options', *options).code == 0
    name = 'backbone.stem.proj.weight'
    after = load_checkpoint(tmp_path / 'work/epoch_1.pth')['state_dict'][name]
    assert torch.equal(after, weights[name])


def test_a_model_without_such_a_stem_is_named(run_tool, tmp_path, cifar_root, monkeypatch):
    monkeypatch.setenv('SACM_DATA', str(cifar_root))
    done = run_tool(
        'train', 'sacm_cifar10_airbench', '--work-dir', tmp_path, '--backbone',
        'mmpretrain:resnet/18', '--cfg-options', *TINY_CIFAR[2:],
    )  # fmt: skip
    assert done.code == 2
    assert 'stem of a sacm_mm.SAConvMixer' in done.error


def test_six_views():
    cfg = load_config('sacm_cifar10_airbench')
    init_default_scope('mmpretrain')
    img = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    views = Compose(cfg.tta_pipeline)(dict(img=img, gt_label=0, img_shape=(32, 32)))['inputs']
    assert len(views) == 6
    plain = torch.from_numpy(img).permute(2, 0, 1)
    assert sum(torch.equal(view, plain) for view in views) == 1
    assert sum(torch.equal(view, plain.flip(2)) for view in views) == 1
    assert sum(torch.equal(view[:, :, 1:], plain[:, :, :-1]) for view in views) == 1
