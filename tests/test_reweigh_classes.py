"""Lessening class weights when a training ends."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import init_default_scope

from sacm_mm import PixelShuffleHead, UserError
from sacm_mm.apis.train import train
from sacm_mm.core.configs import load_config
from sacm_mm.engine.reweigh_classes import ReweighClassesHook, lower_biases
from sacm_mm.registry import HOOKS


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


@HOOKS.register_module(force=True)
class KeepBiasesHook(Hook):
    """Keep the biases of each step as they are before they are lowered."""

    priority = 'BELOW_NORMAL'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        average = next(hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook))
        runner.kept = [
            model.decode_head.conv_seg.bias.detach().clone()
            for model in (average.module, runner.model)
        ]


def test_what_is_saved_last_is_changed_averages_too(camvid_root, tmp_path):
    weights = [0.5] * 5 + [2.0] * 6
    cfg = load_config(
        'sacm_camvid_light.py',
        (
            'model.backbone.arch=d8-l2-k5-p4', 'model.decode_head.in_channels=8',
            'model.decode_head.upscale_factor=4', 'crop_size=(32, 32)',
            f'data_root={camvid_root}/camvid', 'train_dataloader.batch_size=2',
            'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
            'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
            'max_iters=3', 'train_cfg.val_interval=3',
        ),
    )  # fmt: skip
    cfg.model.decode_head.loss_decode = dict(type='CrossEntropyLoss', class_weight=weights)
    cfg.custom_hooks = [
        dict(type='EMAHook'),
        dict(type='sacm_mm.KeepBiasesHook'),
        dict(type='sacm_mm.ReweighClassesHook', class_weight=weights, share=1.0),
    ]
    kept = train(cfg, work_dir=tmp_path).kept
    file = torch.load(tmp_path / 'iter_3.pth', weights_only=False)
    shift = -torch.tensor(weights).log().repeat_interleave(16)
    key = 'decode_head.conv_seg.bias'  # the host saves the average as the weights
    for found, before in zip(
        (file['state_dict'][key], file['ema_state_dict'][f'module.{key}']), kept
    ):
        torch.testing.assert_close(found - before, shift, rtol=1e-3, atol=1e-4)


def test_weights_that_do_not_fit_are_refused():
    for weights, share in (([1.0, 0.0], 0.5), ([1.0], 1.5), ([], 0.5)):
        with pytest.raises(UserError, match='one positive number'):
            ReweighClassesHook(weights, share)
    init_default_scope('mmseg')
    runner = SimpleNamespace(model=torch.nn.Module())
    runner.model.decode_head = PixelShuffleHead(in_channels=8, upscale_factor=2, num_classes=11)
    with pytest.raises(UserError, match=r'weights for 2 classes.*predicts 11'):
        ReweighClassesHook([1.0, 2.0]).before_train(runner)
    loss = dict(type='CrossEntropyLoss', class_weight=[2.0, 1.0])
    runner.model.decode_head = PixelShuffleHead(
        in_channels=8, upscale_factor=2, num_classes=2, loss_decode=loss
    )
    with pytest.raises(UserError, match=r"give it that loss's class_weight, not \[1.0, 2.0\]"):
        ReweighClassesHook([1.0, 2.0]).before_train(runner)
    ReweighClassesHook([2.0, 1.0]).before_train(runner)
    runner.model.decode_head = PixelShuffleHead(
        in_channels=8, upscale_factor=2, num_classes=2, act_norm=True
    )
    with pytest.raises(UserError, match='act_norm=False'):
        ReweighClassesHook([1.0, 2.0]).before_train(runner)
