"""Lessening class weights when a training ends."""

import pytest
import torch
from mmengine.registry import init_default_scope

from sacm_mm import PixelShuffleHead, UserError
from sacm_mm.apis.train import train
from sacm_mm.core.configs import load_config
from sacm_mm.engine.reweigh_classes import ReweighClassesHook, lower_biases


def test_logits_move_by_the_weights():
    init_default_scope('mmseg')
    head = PixelShuffleHead(in_channels=8, upscale_factor=2, num_classes=3).eval()
    x = torch.randn(2, 8, 3, 3)
    before, weights = head([x]), (1.0, 4.0, 0.5)
    lower_biases(head.conv_seg, ReweighClassesHook(weights, share=0.5).shift)
    moved = head([x]) - before
    for index, weight in enumerate(weights):
        expected = torch.full_like(moved[:, index], weight).log() / -2
        torch.testing.assert_close(moved[:, index], expected, rtol=1e-4, atol=1e-5)


def _config(root, hooks, *options):
    cfg = load_config(
        'sacm_camvid_light.py',
        (
            'model.backbone.arch=d8-l2-k5-p4', 'model.decode_head.in_channels=8',
            'model.decode_head.upscale_factor=4', 'crop_size=(32, 32)', f'data_root={root}/camvid',
            'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False', 'max_iters=3', 'train_cfg.val_interval=3',
            'default_hooks.checkpoint.interval=2', *options,
        ),
    )  # fmt: skip
    cfg.custom_hooks = [*cfg.custom_hooks, *hooks]
    return cfg


def test_the_last_checkpoint_alone_is_changed_averages_too(camvid_root, tmp_path):
    weights = [0.5] * 5 + [2.0] * 6
    saved = {}
    for name, share in (('plain', 0.0), ('less', 1.0)):
        hooks = [
            dict(type='EMAHook'),
            dict(type='sacm_mm.ReweighClassesHook', class_weight=weights, share=share),
        ]
        train(_config(camvid_root, hooks), work_dir=tmp_path / name)
        for step in (2, 3):
            file = torch.load(tmp_path / name / f'iter_{step}.pth', weights_only=False)
            for kind in ('state_dict', 'ema_state_dict'):
                key = 'decode_head.conv_seg.bias'
                key = f'module.{key}' if kind == 'ema_state_dict' else key
                saved[name, step, kind] = file[kind][key]
    shift = -torch.tensor(weights).log().repeat_interleave(16)
    for kind in ('state_dict', 'ema_state_dict'):
        assert torch.equal(saved['less', 2, kind], saved['plain', 2, kind])
        moved = saved['less', 3, kind] - saved['plain', 3, kind]
        torch.testing.assert_close(moved, shift, rtol=1e-3, atol=1e-4)


def test_weights_that_do_not_fit_are_refused(camvid_root, tmp_path):
    for weights, share in (([1.0, 0.0], 0.5), ([1.0], 1.5), ([], 0.5)):
        with pytest.raises(UserError, match='one positive number'):
            ReweighClassesHook(weights, share)
    hooks = [dict(type='sacm_mm.ReweighClassesHook', class_weight=[1.0, 2.0])]
    with pytest.raises(UserError, match=r'weights for 2 classes.*predicts 11'):
        train(_config(camvid_root, hooks), work_dir=tmp_path)
