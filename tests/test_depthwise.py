import pytest
import torch
import torch.nn.functional as F
from mmengine.analysis import get_model_complexity_info

from sacm_mm.models.depthwise import DepthwiseConv2d, _of_interleaved, depthwise_conv2d


def _tensors(n=2, c=3, h=9, w=7, k=5, dtype=torch.float64):
    torch.manual_seed(0)
    return [
        torch.randn(*shape, dtype=dtype, requires_grad=True)
        for shape in ((n, c, h, w), (c, 1, k, k), (c,))
    ]


@pytest.mark.parametrize('k', [1, 3, 5, 9])
def test_gradients_equal_autograd_and_numerical_ones(k):
    x, weight, bias = _tensors(k=k)
    assert torch.autograd.gradcheck(depthwise_conv2d, (x, weight, bias))
    target = torch.randn_like(x)
    ours = depthwise_conv2d(x, weight, bias)
    plain = F.conv2d(x, weight, bias, padding=k // 2, groups=3)
    gradients = (
        torch.autograd.grad((out * target).sum(), (x, weight, bias)) for out in (ours, plain)
    )
    for got, want in zip(*gradients):
        torch.testing.assert_close(got, want)


@pytest.mark.slow
def test_operator_contract():
    torch.library.opcheck(torch.ops.sacm_mm.depthwise_conv2d.default, tuple(_tensors()))


@pytest.mark.parametrize('dilation', [1, 2])
def test_what_is_traced_knows_pytorchs_operators_alone(dilation):
    """The hosts count FLOPs and write TorchScript of models that are not under no_grad."""
    conv = DepthwiseConv2d(4, 5, dilation=dilation)
    counted = get_model_complexity_info(conv, (4, 8, 6))['flops']
    assert counted == 8 * 6 * 4 * 25
    x = torch.randn(2, 4, 8, 6)
    for graph in (torch.jit.trace(conv, x).inlined_graph, torch.export.export(conv, (x,)).graph):
        assert 'conv' in str(graph)
        assert 'sacm_mm::' not in str(graph) and 'ops.sacm_mm' not in str(graph)
        assert 'unflatten' not in str(graph)


def test_double_backward_is_refused():
    x, weight, bias = _tensors()
    (grad,) = torch.autograd.grad(
        depthwise_conv2d(x, weight, bias).sum(), weight, create_graph=True
    )
    with pytest.raises(RuntimeError, match='no autograd formula'):
        grad.sum().backward()


def test_bfloat16_autocast_keeps_float32_gradients():
    conv = DepthwiseConv2d(4, 5)
    x = torch.randn(2, 4, 12, 12)
    with torch.autocast('cpu', torch.bfloat16):
        out = conv(x)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    low = conv.weight.grad.clone()
    assert low.dtype == torch.float32
    conv.zero_grad()
    conv(x).square().sum().backward()
    torch.testing.assert_close(low, conv.weight.grad, rtol=0.05, atol=0.5)


def test_non_contiguous_and_channels_last_inputs():
    conv = DepthwiseConv2d(4, 3)
    x = torch.randn(2, 4, 8, 6)
    reference = F.conv2d(x, conv.weight, conv.bias, padding=1, groups=4)
    for layout in (x.to(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().mT):
        layout = layout.detach().requires_grad_()
        out = conv(layout)
        torch.testing.assert_close(out, reference)
        out.sum().backward()
        assert layout.grad.shape == x.shape


@pytest.mark.parametrize(('size', 'dilation'), [((12, 8), 2), ((9, 7), 2), ((16, 24), 8)])
@pytest.mark.parametrize('last', [False, True])
def test_interleaved_maps_give_what_a_dilation_gives(size, dilation, last):
    """The way that a GPU takes for channels-last maps, and a CPU for others."""
    x, weight, bias = _tensors(h=size[0], w=size[1])
    maps = x.contiguous(memory_format=torch.channels_last) if last else x
    ours = _of_interleaved(maps, weight, bias, dilation)
    plain = F.conv2d(x, weight, bias, padding=2 * dilation, dilation=dilation, groups=3)
    torch.testing.assert_close(ours, plain)
    target = torch.randn_like(plain)
    gradients = (
        torch.autograd.grad((out * target).sum(), (x, weight, bias)) for out in (ours, plain)
    )
    for got, want in zip(*gradients):
        torch.testing.assert_close(got, want)
