"""Options of SA-ConvMixer beyond the paper: dilations, reparametrised kernels, a global path."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sacm_mm import SAConvMixer, UserError
from sacm_mm.benchmark.implementations import Setting, own_setting
from sacm_mm.kernels.accelerating import accelerate, fast_parts
from sacm_mm.kernels.cpu.inference import fuses
from sacm_mm.kernels.folding import FoldedBlock, fold
from sacm_mm.models.backbones.mixing import RepDepthwise
from sacm_mm.models.backbones.sa_convmixer import PUBLISHED_ARCHS, arch_name, parse_arch
from sacm_mm.models.depthwise import DepthwiseConv2d

VARIANTS = [
    'd16-l3-k3-p4-dil12',
    'd16-l2-k5-p4-rep',
    'd16-l2-k3-p4-se',
    'd16-l3-k7-p4-dil124-rep-se',
]
each_variant = pytest.mark.parametrize('arch', VARIANTS)


def _trained(arch):
    """A network with weights and statistics other than those at the start."""
    torch.manual_seed(0)
    net = SAConvMixer(arch)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    for name, buffer in net.named_buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5) if 'var' in name else buffer.normal_(std=0.3)
    return net.eval()


@pytest.mark.parametrize('arch', [*PUBLISHED_ARCHS, *VARIANTS])
def test_names_are_read_and_written(arch):
    sizes = parse_arch(arch)
    assert arch_name(sizes) == arch
    assert parse_arch(sizes) == sizes


@pytest.mark.parametrize('arch', PUBLISHED_ARCHS)
def test_published_names_have_no_options(arch):
    assert set(parse_arch(arch)) == {'embed_dims', 'depth', 'kernel_size', 'patch_size'}


def test_options_that_are_off_are_those_of_the_plain_name():
    off = dict(dilations=[1, 1], reparam=False, squeeze=False)
    plain = parse_arch('d16-l2-k3-p4')
    assert parse_arch({**plain, **off}) == plain
    assert parse_arch('d16-l2-k3-p4-dil11') == plain


def test_published_state_dicts_stay_as_they_are():
    block = ['depthwise.weight', 'depthwise.bias', 'pointwise.weight', 'pointwise.bias']
    norm = ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    block += [f'norm{i}.{name}' for i in (1, 2) for name in norm]
    stem = ['proj.weight', 'proj.bias', *(f'norm.{name}' for name in norm)]
    names = {f'stem.{name}' for name in stem}
    names |= {f'blocks.{i}.{name}' for i in range(2) for name in block}
    assert set(SAConvMixer('d16-l2-k3-p4').state_dict()) == names
    assert set(SAConvMixer('d16-l2-k3-p4-dil12').state_dict()) == names


@pytest.mark.parametrize(
    ('arch', 'says'),
    [
        ('d16-l2-k3-p4-dil', 'unknown arch'),
        ('d16-l2-k3-p4-dil102', 'unknown arch'),
        ('d16-l2-k3-p4-se-rep', 'unknown arch'),
        ('d16-l2-k3-p4-rep', 'kernels of 3 have no -rep: take one of 5, 7, 9'),
        (dict(dilations=()), 'list of integers'),
        (dict(dilations='12'), 'list of integers'),
        (dict(dilations=[0, 1]), r'positive integers, but got \[0, 1\]'),
        (dict(squeeze=1), 'True or False'),
    ],
)
def test_wrong_options_are_named(arch, says):
    if isinstance(arch, dict):
        arch = dict(embed_dims=16, depth=2, kernel_size=3, patch_size=4) | arch
    with pytest.raises(UserError, match=says):
        parse_arch(arch)


@each_variant
def test_every_parameter_gets_a_gradient(arch):
    torch.manual_seed(0)  # of 4 hidden units behind a ReLU all are off, now and then
    net = SAConvMixer(arch)
    net(torch.randn(2, 3, 48, 48))[0].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize('size', [(8, 8), (7, 9), (3, 2)])
@pytest.mark.parametrize(('kernel', 'dilation'), [(3, 2), (5, 3), (5, 8)])
def test_dilated_convolution_is_pytorchs(size, kernel, dilation):
    torch.manual_seed(0)
    conv = DepthwiseConv2d(4, kernel, dilation=dilation).double()
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    wanted = F.conv2d(x, conv.weight, conv.bias, padding=conv.padding, dilation=dilation, groups=4)
    found = conv(x)
    assert found.grad_fn is not None and found.shape == x.shape
    torch.testing.assert_close(found, wanted)
    inputs = (x, conv.weight, conv.bias)
    grad = torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, grad), torch.autograd.grad(wanted, inputs, grad)
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('kernel', RepDepthwise.BRANCHES)
@pytest.mark.parametrize('dilation', [1, 3])
def test_reparametrised_kernels_merge_exactly(kernel, dilation):
    net = _trained(f'd8-l1-k{kernel}-p2-dil{dilation}-rep').double()
    branches = net.blocks[0].depthwise
    merged = branches.merged()
    assert merged.weight.shape == (8, 1, kernel, kernel)
    x = torch.randn(2, 8, 13, 11, dtype=torch.float64)
    torch.testing.assert_close(merged(x), branches(x))


@each_variant
def test_folded_variants_compute_the_same(arch):
    net = _trained(arch)
    folded = fold(net)
    x = torch.randn(2, 3, 40, 52)
    torch.testing.assert_close(folded(x)[0], net(x)[0], rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, RepDepthwise) for module in folded.modules())
    gated = arch.endswith('-se')
    assert all(isinstance(block, FoldedBlock) is not gated for block in folded.blocks)


def test_norms_that_do_not_merge_stay():
    net = SAConvMixer('d16-l1-k5-p4-rep', norm_cfg=dict(type='GN', num_groups=2)).eval()
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(fold(net)(x)[0], net(x)[0])


@each_variant
def test_compiled_kernels_leave_other_blocks_plain(arch):
    plain, fast = SAConvMixer(arch), SAConvMixer(arch)
    fast.load_state_dict(plain.state_dict())
    if not fast_parts(accelerate(fast, training=True)):
        pytest.skip('no C++ compiler')
    x = torch.randn(2, 3, 32, 32)
    for net in (plain, fast):
        net(x)[0].square().mean().backward()
    for (name, a), b in zip(plain.named_parameters(), fast.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_inference_kernels_take_dilations_and_no_gate():
    assert fuses(fold(SAConvMixer('d32-l2-k3-p4-dil2')), torch.float32)
    assert fuses(fold(SAConvMixer('d32-l2-k5-p4-dil2-rep')), torch.float32)
    assert not fuses(fold(SAConvMixer('d32-l2-k3-p4-se')), torch.float32)


@pytest.mark.parametrize('name', ['mmpretrain', 'timm'])
def test_implementations_without_an_option_are_refused(name):
    with pytest.raises(UserError, match='has no dilations'):
        own_setting(name, Setting('d16-l2-k3-p4-dil12', 'forward', 32, 1, 'float32', 'cpu'))
