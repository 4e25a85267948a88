"""``--fast`` tries memory formats on a CPU, and changes nothing but the time a step takes."""

import pytest
from conftest import TINY_CAMVID

from sacm_mm.apis.train import train
from sacm_mm.core.configs import load_config
from sacm_mm.engine import fast_training, memory_format

CAMVID = 'sacm_camvid_light.py'
RESNET = {'type': 'mmpretrain.ResNet_CIFAR', 'depth': 18, 'num_stages': 3, 'out_indices': (2,),
          'strides': (1, 2, 2), 'dilations': (1, 1, 1), 'stem_channels': 8,
          'base_channels': 8}  # fmt: skip


def train_resnet(work, **settings):
    options = [option for option in TINY_CAMVID if not option.startswith('model.')]
    cfg = load_config(CAMVID, [*options, *settings.pop('options', ())])
    cfg.model.backbone = RESNET
    cfg.model.decode_head.update(in_channels=32, upscale_factor=2)
    return train(cfg, work_dir=work, **settings)


def losses(runner):
    return list(runner.message_hub.get_scalar('train/loss').data[0])


def strides(runner):
    return runner.model.backbone.conv1.weight.stride()


def test_the_trial_changes_no_draw_and_no_weight(data, tmp_path, monkeypatch):
    monkeypatch.setattr('sacm_mm.apis.fast.cpu_has_bfloat16', lambda: False)  # rounds more
    found = []
    tried = memory_format.fastest_format
    monkeypatch.setattr(
        fast_training,
        'fastest_format',
        lambda *args: found.append(tried(*args)) or 'contiguous',
    )
    plain = losses(train_resnet(tmp_path / 'plain'))
    fast = losses(train_resnet(tmp_path / 'fast', fast=True))
    assert found and found[0] in memory_format.FORMATS
    assert fast == pytest.approx(plain, rel=1e-4)


def test_the_faster_format_is_kept_over_a_resume(data, tmp_path, monkeypatch):
    taken = iter([1.0, 1.0, 1.0, 0.5] * 2)  # seconds of a step in each format, in turn
    monkeypatch.setattr(memory_format, '_time_step', lambda *args: next(taken))
    monkeypatch.setattr(memory_format, '_ENOUGH_S', 0)
    first = train_resnet(tmp_path / 'work', fast=True)
    assert strides(first) == (27, 1, 9, 3)  # channels last
    monkeypatch.setattr(fast_training, 'fastest_format', lambda *args: pytest.fail('tried anew'))
    again = train_resnet(
        tmp_path / 'work', fast=True, resume=True, options=['train_cfg.max_iters=6']
    )
    assert again.iter == 6
    assert strides(again) == (27, 1, 9, 3)


@pytest.mark.parametrize(('seconds', 'best'), [(0.94, 'channels-last'), (0.96, 'contiguous')])
def test_a_gain_within_noise_is_left(data, tmp_path, monkeypatch, seconds, best):
    taken = iter([9.0, 0.1, 1.0, seconds])  # the first of each is not counted
    monkeypatch.setattr(memory_format, '_time_step', lambda *args: next(taken))
    monkeypatch.setattr(memory_format, '_ENOUGH_S', 0)
    runner = train_resnet(tmp_path / 'work', fast=True, options=['train_cfg.max_iters=1'])
    assert runner.message_hub.runtime_info['memory_format'] == best
