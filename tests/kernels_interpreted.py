"""The Triton kernels under Triton's interpreter against the reference in PyTorch.

Not collected by itself: the interpreter has to be on before Triton is imported, so
test_launching.py runs this file in a process of its own.
"""

import os
from unittest import mock

import pytest

assert os.environ['TRITON_INTERPRET'] == '1'

import torch  # noqa: E402

from sacm_mm.kernels.gpu import launching as fused  # noqa: E402
from sacm_mm.kernels.gpu import reference  # noqa: E402
from sacm_mm.kernels.gpu.launching import Product, Strip, Tile  # noqa: E402

LAYOUTS = {'last': torch.channels_last, 'first': torch.contiguous_format}
EPS = 1e-5
# More than one program in every direction, and edges that none of the sizes divides.
SHAPE = (2, 5, 6, 7)


@pytest.fixture(autouse=True)
def one_thread():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def tensors(k, dtype, layout, shape=SHAPE):
    c = shape[1]
    x, dy = (
        torch.randn(shape).to(dtype).contiguous(memory_format=LAYOUTS[layout]) for _ in range(2)
    )
    weight = torch.randn(c, 1, k, k) / k
    bias, gamma, beta, mean = torch.randn(4, c).unbind()
    return x, dy, weight, bias, gamma, beta, mean, torch.rand(c) + 0.5


def assert_same(found, wanted, dtype):
    # The interpreter cuts float32 off to bfloat16, a GPU rounds.
    rtol, atol = {
        torch.float32: (1e-5, 1e-5),
        torch.float16: (2e-3, 4e-3),
        torch.bfloat16: (2e-2, 4e-2),
    }[dtype]
    found, wanted = (t if isinstance(t, tuple) else (t,) for t in (found, wanted))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted):
        assert (a.dtype, a.shape, a.stride()) == (b.dtype, b.shape, b.stride())
        scale = float(b.float().abs().max())
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol * max(scale, 1))


def assert_same_gradients(name, arguments):
    """Compare with the reference; in float32 with its float64, as closely as the GELU allows.

    A gradient depends on activations divided by sqrt(var + eps), the more the less a channel's
    values differ: of (3, 33, 1, 1) some channels have a deviation of 0.0005, and the kernels' error
    function is exact to 1.5e-7. So each gradient is allowed what it moves by (four times the root
    mean square) when every value of the error function moves by that, up or down at random.
    """
    found = getattr(fused, name)(*arguments)
    function = getattr(reference, name)
    if arguments[0].dtype != torch.float32:
        assert_same(found, function(*arguments), arguments[0].dtype)
        return
    wide = [a.double() if torch.is_tensor(a) else a for a in arguments]
    wanted = function(*wide)
    erf = torch.erf
    with mock.patch('torch.erf', lambda x: erf(x) + 1.5e-7 * torch.randn_like(x).sign()):
        moved = [function(*wide) for _ in range(32)]
    assert len(found) == len(wanted)
    for a, b, *others in zip(found, wanted, *moved):
        assert (a.dtype, a.shape, a.stride()) == (torch.float32, b.shape, b.stride())
        allowed = 4 * (torch.stack(others) - b).square().mean(0).sqrt()
        allowed += 2e-6 * max(float(b.abs().max()), 1)  # rounding
        error = (a - b).abs()
        assert bool((error <= allowed).all()), (name, error, allowed)


def check_all(k, dtype, layout, shape=SHAPE):
    x, dy, weight, bias, gamma, beta, mean, var = tensors(k, dtype, layout, shape)
    train = (x, weight, bias, gamma, beta, EPS)
    wanted = reference.depthwise_norm(*train)
    assert_same(fused.depthwise_norm(*train), wanted, dtype)
    back = (dy, x, weight, wanted[1], gamma, *wanted[2:], EPS)
    assert_same_gradients('depthwise_norm_backward', back)
    fixed = (mean, var, gamma, beta, EPS)
    assert_same(
        fused.depthwise_eval(x, weight, bias, *fixed),
        reference.depthwise_eval(x, weight, bias, *fixed),
        dtype,
    )


def check_pointwise(dtype, layout, shape=SHAPE):
    x, dy, _, bias, gamma, beta, mean, var = tensors(3, dtype, layout, shape)
    for given in ((bias, gamma, beta), (None, None, None)):
        wanted = reference.gelu_norm(x, *given, EPS)
        assert_same(fused.gelu_norm(x, *given, EPS), wanted, dtype)
        back = (dy, x, *given[:2], *wanted[1:], EPS)
        assert_same_gradients('gelu_norm_backward', back)
        fixed = (given[0], mean, var, *given[1:], EPS)
        assert_same(fused.gelu_norm_eval(x, *fixed), reference.gelu_norm_eval(x, *fixed), dtype)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_depthwise_half(layout):
    check_all(3, torch.float32, layout)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('layout', LAYOUTS)
def test_pointwise_half(layout, dtype):
    check_pointwise(dtype, layout)


def test_pointwise_kernel():
    # float16 only: the interpreter multiplies the bits of bfloat16
    x = torch.randn(SHAPE).half().contiguous(memory_format=torch.channels_last)
    weight = torch.randn(18, 5, 1, 1).half()
    norm = (*torch.rand(5, 18).unbind(), EPS)
    found = fused._fused_product(x, weight, *norm, Product(16, 16, 16, 1, 4))
    assert_same(found, reference.pointwise_eval(x, weight, *norm), torch.float16)


def test_variance_of_values_far_from_zero():
    # 1000 +- 0.01: the mean of squares less the square of the mean has no digit left
    for layout in LAYOUTS.values():
        x = (1000 + 0.01 * torch.randn(2, 3, 6, 5)).contiguous(memory_format=layout)
        delta = torch.zeros(3, 1, 3, 3)
        delta[:, :, 1, 1] = 1
        wanted = x.double().var((0, 2, 3), correction=0)
        _, _, var = fused.gelu_norm(x, None, None, None, EPS)
        torch.testing.assert_close(var.double(), wanted, rtol=1e-2, atol=0)
        *_, var = fused.depthwise_norm(x, delta, None, None, None, EPS)
        torch.testing.assert_close(var.double(), wanted, rtol=1e-2, atol=0)


def test_gelu_is_exact_to_float32():
    x = torch.linspace(-9, 9, 2000).view(1, 1, 40, 50)
    found = fused.gelu_norm_eval(x, None, torch.zeros(1), torch.ones(1), None, None, 0.0)
    wanted = torch.nn.functional.gelu(x.double())
    assert float((found - wanted).abs().max()) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('k', [3, 5, 7, 9])
def test_every_kernel_size_type_and_layout(k, layout, dtype):
    check_all(k, dtype, layout)
    check_pointwise(dtype, layout)


@pytest.mark.slow
@pytest.mark.parametrize('shape', [(1, 1, 2, 1), (1, 3, 1, 9), (3, 33, 1, 1), (1, 4, 19, 3)])
def test_odd_shapes(shape):
    for layout in LAYOUTS:
        check_all(5, torch.float32, layout, shape)
        check_pointwise(torch.float32, layout, shape)


@pytest.mark.slow
@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_cut_computes_the_same(layout, monkeypatch):
    cuts = [Strip(2, 2, 2, 1, 1), Strip(1, 1, 8, 2, 1), *fused.strips(3, layout == 'last')]
    tiles = [Tile(4, 2, 1), *fused.tiles(5, 42, layout == 'last')]
    for i in range(max(len(cuts), len(tiles))):
        monkeypatch.setattr(fused, 'strips', lambda *_, i=i: [cuts[i % len(cuts)]])
        monkeypatch.setattr(fused, 'tiles', lambda *_, i=i: [tiles[i % len(tiles)]])
        check_all(3, torch.float32, layout)
        check_pointwise(torch.float32, layout)


@pytest.mark.slow
@pytest.mark.parametrize('layout', LAYOUTS)
def test_work_is_cut_for_many_multiprocessors(layout, monkeypatch):
    # strips of less than the image's height, reductions of several parts
    monkeypatch.setattr(fused, '_multiprocessors', lambda device: 6)
    check_all(3, torch.float32, layout, (2, 5, 23, 7))
    check_pointwise(torch.float32, layout, (2, 5, 23, 7))
