"""Going on with other class weights."""

import pytest
import torch
from mmengine.registry import init_default_scope

from sacm_mm import PixelShuffleHead, UserError
from sacm_mm.engine.reweigh_classes import ReweighClassesHook


class _Runner:
    def __init__(self, head, step=0):
        self.model, self.iter = torch.nn.Module(), step
        self.model.decode_head = head


def _head(**kwargs):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return PixelShuffleHead(in_channels=8, upscale_factor=2, num_classes=3, **kwargs)


def test_logits_move_by_the_ratio_of_the_weights():
    head, x = _head().eval(), torch.randn(2, 8, 3, 3)
    before = head([x])
    ReweighClassesHook([1.0, 4.0, 0.5], [1.0, 2.0, 1.0]).before_train(_Runner(head))
    moved = head([x]) - before
    for index, ratio in enumerate((1.0, 0.5, 2.0)):
        expected = torch.full_like(moved[:, index], ratio).log()
        torch.testing.assert_close(moved[:, index], expected, rtol=1e-4, atol=1e-5)


def test_a_resumed_run_is_left_alone():
    head = _head()
    bias = head.conv_seg.bias.clone()
    ReweighClassesHook([1.0] * 3, [2.0] * 3).before_train(_Runner(head, step=5))
    assert torch.equal(head.conv_seg.bias, bias)


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match='one positive weight'):
        ReweighClassesHook([1.0, 2.0], [1.0])
    with pytest.raises(UserError, match='one positive weight'):
        ReweighClassesHook([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(UserError, match=r'weights for 2 classes.*has 3'):
        ReweighClassesHook([1.0, 2.0], [1.0, 1.0]).before_train(_Runner(_head()))
