"""The compiled training kernels against the layers that they stand for."""

import copy

import pytest
import torch
from torch import nn

from sacm_mm import UserError
from sacm_mm.engine.fast_training import FastTrainingHook, compile_training
from sacm_mm.kernels.accelerating import accelerate, fast_parts
from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.training import act_norm, mix, pointwise, takes
from sacm_mm.kernels.recognition import recognise
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer

needs_compiler = pytest.mark.skipif(not native.available('training'), reason='no C++ compiler')
pytestmark = needs_compiler
# planes narrower than a vector, of whole vectors, and between
SIZES = [(5, 7), (4, 16), (9, 19), (70, 64)]


def _layers(channels=3, kernel=5, act=nn.GELU, dtype=torch.float64, bias=True):
    torch.manual_seed(0)
    conv = nn.Conv2d(
        channels, channels, kernel, padding=kernel // 2, groups=channels, bias=bias, dtype=dtype
    )
    norm = nn.BatchNorm2d(channels, dtype=dtype)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return conv, act(), norm


def _gradients(out, inputs):
    # the same in every type
    target = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    return torch.autograd.grad((out * target.to(out.dtype)).sum(), inputs)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kernel', native.KERNEL_SIZES)
@pytest.mark.parametrize('residual', [True, False])
def test_depthwise_act_norm_equals_the_layers(kernel, size, residual):
    conv, act, norm = _layers(kernel=kernel, act=nn.ReLU if kernel == 3 else nn.GELU)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    inputs = (x, *conv.parameters(), *norm.parameters())
    plain_norm = copy.deepcopy(norm)
    half = recognise(conv, act, norm)
    assert half and takes(x, half)
    ours = mix(x, half, residual)
    norm_weight, norm_bias = norm.parameters()
    plain = nn.functional.batch_norm(
        act(conv(x)), plain_norm.running_mean, plain_norm.running_var, norm_weight, norm_bias, True
    )
    plain = x + plain if residual else plain
    torch.testing.assert_close(ours, plain)
    for got, want in zip(_gradients(ours, inputs), _gradients(plain, inputs)):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(norm.running_mean, plain_norm.running_mean)
    torch.testing.assert_close(norm.running_var, plain_norm.running_var)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('kernel', native.KERNEL_SIZES)
def test_bfloat16_equals_the_layers_to_its_rounding(kernel, size):
    conv, act, norm = _layers(kernel=kernel, dtype=torch.float32)
    with torch.no_grad():
        conv.weight.copy_(conv.weight.bfloat16())  # the processor may multiply in bfloat16
    x = torch.randn(2, 3, *size).bfloat16().requires_grad_()
    ours = mix(x, recognise(conv, act, norm), False)
    assert ours.dtype == torch.bfloat16
    found = (ours, *_gradients(ours, (x, *conv.parameters(), *norm.parameters())))

    conv, norm = conv.double(), norm.double()
    x = x.detach().double().requires_grad_()
    plain = norm(act(conv(x)))
    wanted = (plain, *_gradients(plain, (x, *conv.parameters(), *norm.parameters())))
    for got, want in zip(found, wanted):
        assert (got - want).abs().max() < 0.01 * want.abs().max()


@pytest.mark.parametrize('act', [nn.GELU, nn.ReLU])
@pytest.mark.parametrize('bias', [True, False])
def test_act_norm_equals_the_layers(act, bias):
    _, act, norm = _layers(act=act)
    conv = nn.Conv2d(3, 3, 1, bias=bias, dtype=torch.float64)
    x = torch.randn(2, 3, 9, 19, dtype=torch.float64, requires_grad=True)
    inputs = (x, *norm.parameters(), *((conv.bias,) if bias else ()))
    ours = act_norm(x, recognise(conv, act, norm))
    plain = norm(act(x + conv.bias[:, None, None] if bias else x))
    torch.testing.assert_close(ours, plain)
    for got, want in zip(_gradients(ours, inputs), _gradients(plain, inputs)):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize('residual', [True, False])
def test_numerical_gradients(residual):
    conv, act, norm = _layers(channels=2)
    x = torch.randn(2, 2, 4, 17, dtype=torch.float64, requires_grad=True)

    def run(x, *parameters):
        return mix(x, recognise(conv, act, norm), residual)

    assert torch.autograd.gradcheck(run, (x, *conv.parameters(), *norm.parameters()))


def test_gelu_is_exact_to_float32_rounding():
    norm = nn.BatchNorm2d(1, eps=0.0)
    x = torch.linspace(-12, 12, 4096).view(1, 1, 64, 64)
    half = recognise(nn.Conv2d(1, 1, 1, bias=False), nn.GELU(), norm)
    ours = act_norm(x, half).detach().double()
    exact = nn.functional.gelu(x.double())
    exact = (exact - exact.mean()) / exact.std(correction=0)
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-6)


def test_operator_contract():
    x, weight = torch.randn(2, 3, 6, 5), torch.randn(3, 1, 3, 3)
    bias, scale, shift = torch.randn(3, 3)
    tensors = [t.requires_grad_() for t in (x, weight, bias.clone(), scale.clone(), shift.clone())]
    torch.library.opcheck(
        torch.ops.sacm_mm_cpu.mix_act_norm.default,
        (*tensors, 1e-5, False, True, 2),
        atol=1e-4,
        rtol=1e-4,
    )


def test_double_backward_is_refused():
    conv, act, norm = _layers()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    out = mix(x, recognise(conv, act, norm), True)
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(UserError, match='no second derivative'):
        grad.sum().backward()


def _pair(**kwargs):
    torch.manual_seed(0)
    plain = SAConvMixer('d16-l3-k5-p4', **kwargs)
    fast = copy.deepcopy(plain)
    assert accelerate(fast, training=True) is fast
    return plain, fast


def _step(model, x, run=None):
    out = (model if run is None else run)(x)[0]
    target = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    model.zero_grad()
    (out.float() * target).sum().backward()
    return out.detach(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize('kwargs', [{}, {'with_cp': True}, {'drop_path_rate': 1e-6}])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_network_computes_the_same(kwargs, layout):
    plain, fast = _pair(**kwargs)
    assert len(fast_parts(fast)) == 4
    x = torch.randn(2, 3, 37, 70).to(memory_format=layout)
    x.requires_grad_()  # or nothing is checkpointed before the stem
    for model in (plain, fast):
        model.to(memory_format=layout)
    (out, grads), (fast_out, fast_grads) = _step(plain, x), _step(fast, x)
    torch.testing.assert_close(fast_out, out, rtol=1e-4, atol=1e-4)
    for got, want in zip(fast_grads, grads):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-3)
    for got, want in zip(fast.buffers(), plain.buffers()):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    fast.eval(), plain.eval()
    torch.testing.assert_close(fast(x)[0], plain(x)[0], rtol=1e-3, atol=1e-3)


def test_bfloat16_autocast_keeps_float32_gradients():
    plain, fast = _pair()
    x = torch.randn(2, 3, 64, 64)
    exact, _ = _step(plain, x)
    with torch.autocast('cpu', torch.bfloat16):
        low, grads = _step(fast, x)
    assert low.dtype == torch.bfloat16
    assert {g.dtype for g in grads} == {torch.float32}
    assert (low - exact).abs().max() < 0.1 * exact.abs().max()


def test_torch_compile_takes_the_kernels():
    plain, fast = _pair()
    x = torch.randn(2, 3, 32, 32)
    run = torch.compile(fast, backend='aot_eager', fullgraph=True, dynamic=False)
    (out, grads), (fast_out, fast_grads) = _step(plain, x), _step(fast, x, run)
    torch.testing.assert_close(fast_out, out, rtol=1e-4, atol=1e-4)
    for got, want in zip(fast_grads, grads):
        torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-3)


def test_twenty_steps_lose_the_same():
    losses = []
    for model in _pair():
        torch.manual_seed(0)
        head = nn.Conv2d(16, 5, 1)
        nn.init.normal_(head.weight, std=0.1)
        parameters = [*model.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=bool(fast_parts(model)))
        generator = torch.Generator().manual_seed(0)
        run = []
        for _ in range(20):
            x = torch.randn(2, 3, 32, 32, generator=generator)
            truth = (x.mean(1)[:, ::4, ::4] * 4).long().clamp(0, 4)
            loss = nn.functional.cross_entropy(head(model(x)[0]), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.append(loss.item())
        losses.append(run)
    assert losses[0][-1] < losses[0][0]
    torch.testing.assert_close(torch.tensor(losses[1]), torch.tensor(losses[0]), rtol=2e-4, atol=0)


@pytest.mark.parametrize(
    'kwargs',
    [dict(act_cfg=dict(type='Tanh')), dict(norm_cfg=dict(type='GN', num_groups=4))],
)
def test_other_layers_stay_as_they_are(kwargs):
    plain, fast = _pair(**kwargs)
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(fast(x)[0], plain(x)[0])


def test_frozen_norms_stay_as_they_are():
    _, fast = _pair(frozen_stages=1)
    before = fast.blocks[0].norm1.running_mean.clone()
    fast.train()
    _step_trainable = fast(torch.randn(2, 3, 16, 16))[0].sum()
    _step_trainable.backward()
    assert torch.equal(fast.blocks[0].norm1.running_mean, before)
    assert not torch.equal(fast.blocks[1].norm1.running_mean, before)


def test_without_a_compiler_nothing_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(native, 'why_not', native.why_not.__wrapped__)
    monkeypatch.setenv('CXX', '')
    monkeypatch.setenv('PATH', str(tmp_path))
    model = SAConvMixer('d8-l1-k3-p4')
    accelerate(model, training=True)
    assert not fast_parts(model)


def test_without_a_home_nothing_changes(monkeypatch):
    """As in a container whose user is a number."""
    monkeypatch.setattr(native, 'why_not', native.why_not.__wrapped__)
    monkeypatch.delenv('HOME')
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr('os.getuid', lambda: 2**31 - 7)
    assert 'no home directory' in native.why_not('training')


def test_other_networks_stay_as_they_are():
    model = nn.Linear(2, 2)
    assert accelerate(model, training=True) is model
    assert not fast_parts(model)


def test_pointwise_is_the_convolution():
    conv = nn.Conv2d(4, 6, 1, bias=False, dtype=torch.float64)
    x = torch.randn(2, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    ours, plain = pointwise(x, conv.weight), conv(x)
    torch.testing.assert_close(ours, plain)
    inputs = (x, conv.weight)
    for got, want in zip(_gradients(ours, inputs), _gradients(plain, inputs)):
        torch.testing.assert_close(got, want)


def test_evaluation_is_not_compiled(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, 'compile', lambda f, **_: lambda *a: compiled.append(1) or f(*a))
    model = nn.Linear(2, 2)
    assert compile_training(model)
    compiled.clear()
    model(torch.ones(1, 2))
    assert compiled == [1]
    model.eval()(torch.ones(1, 2))
    assert compiled == [1]


def test_hook_puts_kernels_into_the_model():
    class Runner:
        model = nn.Sequential(SAConvMixer('d8-l1-k3-p4'))

        class logger:
            info = print

    FastTrainingHook().before_train(Runner)
    assert fast_parts(Runner.model) == ['0.stem', '0.blocks.0']
