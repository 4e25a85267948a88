import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch.utils.flop_counter import FlopCounterMode

from sacm_mm import CSMixer, UserError
from sacm_mm.models.backbones.cs_mixer import ARCHS, GroupMix

# parameters in millions, multiply-accumulates in billions; the paper confirms those of L
TABLE = {'t': (25.39, 2.39), 's': (32.18, 4.19), 'b': (55.94, 7.77), 'l': (94.19, 13.71)}


@pytest.mark.parametrize('arch', TABLE)
def test_parameters_and_macs_are_those_of_the_table(arch):
    params, gmacs = TABLE[arch]
    channels = 8 * ARCHS[arch]['embed_dims']
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            net = MODELS.build(
                dict(
                    type='ImageClassifier',
                    backbone=dict(type='sacm_mm.CSMixer', arch=arch),
                    neck=dict(type='GlobalAveragePooling'),
                    head=dict(type='LinearClsHead', num_classes=1000, in_channels=channels),
                )
            ).eval()
        net(torch.zeros(1, 3, 224, 224))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 2) == params
    assert round(counter.get_total_flops() / 2e9, 2) == gmacs


def _linear(x, layer):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def _mixed_by_loops(mix, x):
    """The mixing of one map (H, W, C), written out group by group and head by head."""
    reduced = _linear(x, mix.reduce)
    h, w = (-(-side // 7) * 7 for side in x.shape[:2])
    reduced = np.pad(reduced, ((0, h - x.shape[0]), (0, w - x.shape[1]), (0, 0)))
    weight, bias = mix.weight.detach().numpy(), mix.bias.detach().numpy()
    mixed = np.full_like(reduced, np.nan)
    d = mix.head_dims
    for top in range(h // 7):
        for left in range(w // 7):
            if mix.spread:  # every (h / 7)th row and (w / 7)th column
                rows, columns = np.arange(7) * (h // 7) + top, np.arange(7) * (w // 7) + left
            else:  # a window
                rows, columns = 7 * top + np.arange(7), 7 * left + np.arange(7)
            for head in range(mix.heads):
                channels = np.arange(head * d, (head + 1) * d)
                place = np.ix_(rows, columns, channels)
                vector = reduced[place].reshape(49 * d)
                mixed[place] = (vector @ weight[head] + bias[head, 0]).reshape(7, 7, d)
    mixed = mixed[: x.shape[0], : x.shape[1]]
    return _linear(_linear(x, mix.gated) * _linear(mixed, mix.expand), mix.project)


@pytest.mark.parametrize('spread', [False, True])
@pytest.mark.parametrize('size', [(14, 21), (9, 16), (3, 1)])
def test_mixing_is_the_one_by_loops(spread, size):
    torch.manual_seed(0)
    mix = GroupMix(6, heads=3, head_dims=2, spread=spread).double()
    for parameter in mix.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, *size, 6, dtype=torch.float64)
    expected = [_mixed_by_loops(mix, sample.numpy()) for sample in x]
    np.testing.assert_allclose(mix(x).detach().numpy(), np.stack(expected), rtol=1e-9)


def test_a_gate_begins_close_to_one():
    mix = GroupMix(8, heads=2, head_dims=2, spread=False)
    assert (mix.expand.bias == 1).all()
    assert 0 < mix.expand.weight.abs().max() <= 1e-3 / 49
    x = torch.randn(1, 7, 7, 8)
    torch.testing.assert_close(mix(x), mix.project(mix.gated(x)), rtol=1e-2, atol=1e-4)
    assert mix.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_blocks_alternate_windows_and_spread_groups():
    with torch.device('meta'):
        net = CSMixer('s')
    assert [[block.mix.spread for block in stage.blocks] for stage in net.stages] == [
        [False, True],
        [False, True],
        [False, True] * 3,
        [False, True],
    ]


def test_what_a_block_reaches():
    """A first block reaches its own window alone, a second the tokens that share its residue."""
    torch.manual_seed(0)
    sizes = dict(embed_dims=8, depths=(2, 1, 1, 1), heads=(1, 1, 1, 1), head_dims=1)
    local, spread = (block.eval() for block in CSMixer(sizes).stages[0].blocks)
    x = torch.randn(1, 14, 14, 8, requires_grad=True)
    for block, reached in (
        (local, [(slice(0, 7), slice(7, 14))]),
        (spread, [(slice(1, 14, 2), slice(0, 14, 2))]),
    ):
        row, column = (3, 10) if block is local else (5, 8)
        (grad,) = torch.autograd.grad(block(x)[0, row, column].sum(), x)
        touched = grad[0].abs().sum(-1) > 0
        expected = torch.zeros(14, 14, dtype=torch.bool)
        for place in reached:
            expected[place] = True
        assert torch.equal(touched, expected)


def test_padding_does_not_blow_up_gradients():
    """Zeros that passed the layer norms of a deep stage once made infinite gradients."""
    sizes = dict(embed_dims=64, depths=(1, 1, 18, 1), heads=(1, 1, 1, 1), head_dims=1)
    norms = []
    for side in (224, 200):  # of whole groups at every stage, and padded at every one
        torch.manual_seed(0)
        net = CSMixer(sizes)
        (out,) = net(torch.randn(1, 3, side, side))
        (out * torch.randn_like(out)).mean().backward()
        norms.append(sum(p.grad.square().sum() for p in net.parameters()).sqrt())
    assert norms[1] == pytest.approx(norms[0].item(), rel=0.5)


def test_drop_path_rises_over_the_whole_network():
    with torch.device('meta'):
        net = CSMixer('t', drop_path_rate=0.1)
    blocks = [block for stage in net.stages for block in stage.blocks]
    rates = [getattr(block.drop_path, 'drop_prob', 0.0) for block in blocks]
    assert rates == pytest.approx(np.linspace(0, 0.1, 16).tolist())


def test_wrong_sizes_are_named():
    with pytest.raises(UserError, match='embed_dims must be a multiple of 8, but got 12'):
        CSMixer({**ARCHS['t'], 'embed_dims': 12})
    with pytest.raises(UserError, match='depths must be 4 positive integers'):
        CSMixer({**ARCHS['t'], 'depths': (1, 1, 1)})
