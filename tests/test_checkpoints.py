"""Checkpoints: what reading one leaves alone, and which fit a model."""

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from torch import nn

from sacm_mm import SAConvMixer, UserError
from sacm_mm.core.checkpoints import check_weights, load_checkpoint
from sacm_mm.datasets.meta import model_meta


def test_a_loaded_curve_leaves_the_averaging_of_others_alone(tmp_path):
    # the next log line of the process failed: "'_Inert' object is not callable"
    curve = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save(
        dict(state_dict={}, message_hub=dict(log_scalars={'loss': curve})), tmp_path / 'a.pth'
    )
    load_checkpoint(tmp_path / 'a.pth')
    assert HistoryBuffer([1.0, 3.0], [1, 1]).statistics('mean') == 2.0


def _network(layers):
    return nn.ModuleDict({'backbone': SAConvMixer(arch=f'd8-l{layers}-k3-p2')})


def test_a_network_is_not_cut_off_to_fit():
    check_weights(_network(2), _network(2).state_dict(), 'w.pth')
    with pytest.raises(UserError, match=r"'w.pth' is of a deeper model .* it has backbone.*\.2\."):
        check_weights(_network(2), _network(3).state_dict(), 'w.pth')


def test_what_training_alone_needs_is_left_out():
    found = _network(2).state_dict()
    found |= {'auxiliary_head.conv.weight': torch.ones(1), 'teacher.weight': torch.ones(1)}
    check_weights(_network(2), found, 'w.pth')


def test_whole_numbers_are_no_weights():
    found = _network(2).state_dict()
    name = next(iter(found))
    found[name] = found[name].to(torch.int8)
    with pytest.raises(UserError, match=rf'torch.int8 in {name}.* before they were quantized'):
        check_weights(_network(2), found, 'w.pth')


@pytest.mark.parametrize('palette', [5, [1, 2], [[0, 0, 0], []], [[0, 0, 0], [300, 1, 1]], 'ab'])
def test_colours_that_are_none_are_chosen_anew(palette):
    cfg = Config(dict(model=dict(decode_head=dict(num_classes=2))))
    meta = model_meta(cfg, dict(classes=['a', 'b'], palette=palette))
    assert meta['classes'] == ('a', 'b')
    assert all(len(c) == 3 and min(c) >= 0 and max(c) <= 255 for c in meta['palette'])
