"""The fused mixer block of GPUs: its mathematics in float64, its operators, when it is used.

On a CPU the operators compute the reference; here networks are told that it is a GPU.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sacm_mm import SAConvMixer, UserError, accelerate
from sacm_mm.kernels.accelerating import fast_parts
from sacm_mm.kernels.cpu import training
from sacm_mm.kernels.gpu import halves, operators
from sacm_mm.kernels.gpu.reference import layout
from sacm_mm.models.backbones.sa_convmixer import MixerBlock

GPU = pytest.mark.gpu
LAYOUTS = [torch.channels_last, torch.contiguous_format]
EPS = 1e-5


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def on_cpu(monkeypatch):
    """Let a CPU pass for a GPU, in float64 too, without kernels of its own."""
    monkeypatch.setattr(halves, 'available', lambda device: True)
    monkeypatch.setattr(halves, '_DTYPES', (*halves._DTYPES, torch.float64))
    monkeypatch.setattr(training, 'takes', lambda x, half: False)
    monkeypatch.setattr(training, 'knows', halves.knows)
    monkeypatch.setattr(training.native, 'available', lambda purpose: True)


def arguments(k=3, shape=(2, 3, 5, 4)):
    c = shape[1]
    return [
        torch.randn(*s, dtype=torch.float64, requires_grad=True)
        for s in (shape, (c, 1, k, k), (c,), (c,), (c,))
    ]


def trained_block(channels=6, k=5, momentum=0.1):
    """A block whose norms have seen something, in float64."""
    block = MixerBlock(channels, k, 0.0, dict(type='BN', momentum=momentum), dict(type='GELU'))
    for norm in (block.norm1, block.norm2):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.uniform_(norm.weight, -2, 2)
        nn.init.normal_(norm.bias)
    return block.double()


def assert_same_step(fused, plain, x, **tolerance):
    """Run both, forward and backward; maps, gradients and buffers agree."""
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    weights = torch.randn_like(x)
    outs = []
    for model, inp in zip((fused, plain), inputs):
        out = model(inp)
        outs.append(out[0] if isinstance(out, tuple) else out)
        (outs[-1] * weights[:, :1, : outs[-1].shape[2], : outs[-1].shape[3]]).sum().backward()
    torch.testing.assert_close(*outs, **tolerance)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, **tolerance)
    for (name, a), b in zip(fused.named_parameters(), plain.parameters()):
        torch.testing.assert_close(a.grad, b.grad, **tolerance, msg=lambda m, n=name: f'{n}: {m}')
    for a, b in zip(fused.buffers(), plain.buffers()):
        torch.testing.assert_close(a, b, **tolerance)


def calls(monkeypatch):
    """Count the calls of the two fused halves."""
    seen = []
    for name in ('mix', 'project'):
        function = getattr(halves, name)
        monkeypatch.setattr(halves, name, lambda *a, f=function, n=name: (seen.append(n), f(*a))[1])
    return seen


@pytest.mark.parametrize('k', [3, 5])
def test_gradients_equal_numerical_ones(k):
    x, weight, bias, gamma, beta = arguments(k)
    assert torch.autograd.gradcheck(
        lambda *a: operators.depthwise_norm(*a, EPS)[0], (x, weight, bias, gamma, beta)
    )
    assert torch.autograd.gradcheck(
        lambda *a: operators.gelu_norm(*a, EPS)[0], (x, bias, gamma, beta)
    )
    assert torch.autograd.gradcheck(
        lambda a, w: operators.depthwise_norm(a, w, None, None, None, EPS)[0], (x, weight)
    )


def test_operator_contracts():
    x, weight, bias, gamma, beta = arguments()
    ops = torch.ops.sacm_mm
    for memory in LAYOUTS:
        x = x.detach().contiguous(memory_format=memory).requires_grad_()
        torch.library.opcheck(ops.mixer_depthwise_norm.default, (x, weight, bias, gamma, beta, EPS))
        torch.library.opcheck(ops.mixer_gelu_norm.default, (x, bias, gamma, beta, EPS))
        fixed = [t.detach() for t in (bias, bias.abs() + 1, gamma, beta)]
        x = x.detach()
        for op, first in (
            (ops.mixer_depthwise_eval, (x, weight.detach(), None)),
            (ops.mixer_gelu_norm_eval, (x, None)),
            (ops.mixer_pointwise_eval, (x, torch.randn(3, 3, 1, 1).double(), None)),
        ):
            torch.library.opcheck(op.default, (*first, *fixed, EPS))


def test_second_derivatives_and_gradients_through_fixed_statistics_are_refused():
    x, weight, bias, gamma, beta = arguments()
    out = operators.depthwise_norm(x, weight, bias, gamma, beta, EPS)[0]
    (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    with pytest.raises(UserError, match='without --fast'):
        grad.sum().backward()
    fixed = operators.gelu_norm_eval(x, None, bias.detach(), bias.detach() ** 2, None, None, EPS)
    with pytest.raises(UserError, match='inference only'):
        fixed.sum().backward()


@pytest.mark.parametrize('memory', LAYOUTS)
@pytest.mark.parametrize('k', [3, 9])
def test_training_block_equals_the_modules(on_cpu, monkeypatch, k, memory):
    block = trained_block(k=k)
    x = torch.randn(3, 6, 7, 5, dtype=torch.float64).contiguous(memory_format=memory)
    plain = copy.deepcopy(block)
    block = accelerate(block, training=True)
    seen = calls(monkeypatch)
    assert_same_step(block, plain, x)
    assert seen == ['mix', 'project']  # once, for one of the two
    assert int(block.norm1.num_batches_tracked) == 1
    assert layout(block(x)) == memory


@pytest.mark.parametrize('memory', LAYOUTS)
def test_inference_block_equals_the_modules(on_cpu, monkeypatch, memory):
    block = trained_block().eval()
    x = torch.randn(3, 6, 7, 5, dtype=torch.float64).contiguous(memory_format=memory)
    seen = calls(monkeypatch)
    with torch.no_grad():
        found = accelerate(block, training=True)(x)
        torch.testing.assert_close(found, block(x))
    assert len(seen) == 2


@pytest.mark.parametrize('momentum', [0.1, None])
def test_whole_network_trains_the_same_and_keeps_its_state(on_cpu, momentum):
    norm = dict(type='BN', momentum=momentum)
    model = SAConvMixer('d6-l3-k3-p4', norm_cfg=norm).double()
    twin = copy.deepcopy(model)
    accelerate(model, training=True)
    assert len(fast_parts(model)) == 4
    x = torch.randn(2, 3, 18, 14, dtype=torch.float64)
    assert_same_step(model, twin, x)
    saving = SAConvMixer('d6-l3-k3-p4', norm_cfg=norm, with_cp=True).double()
    saving.load_state_dict(twin.state_dict())
    accelerate(saving, training=True)
    twin.zero_grad()
    assert_same_step(saving, twin, 2 * x)
    assert int(saving.blocks[1].norm2.num_batches_tracked) == 2


@pytest.mark.parametrize('with_cp', [False, True])
def test_compiled_network_trains_the_same(on_cpu, with_cp):
    model = SAConvMixer('d6-l2-k3-p4', with_cp=with_cp).double()
    twin = copy.deepcopy(model)
    accelerate(model, training=True)
    torch._dynamo.reset()
    run = torch.compile(model, backend='aot_eager', fullgraph=True)
    x = torch.randn(2, 3, 16, 12, dtype=torch.float64)
    found = run(x)[0]
    found.square().sum().backward()
    wanted = twin(x)[0]
    wanted.square().sum().backward()
    torch.testing.assert_close(found, wanted)
    for a, b in zip(model.parameters(), twin.parameters()):
        torch.testing.assert_close(a.grad, b.grad)
    for a, b in zip(model.buffers(), twin.buffers()):
        torch.testing.assert_close(a, b)


def test_autocast_keeps_float32_parameters_and_statistics(on_cpu):
    twin = trained_block().float()
    block = accelerate(copy.deepcopy(twin), training=True)
    x = torch.randn(4, 6, 9, 9)
    with torch.autocast('cpu', torch.bfloat16):
        found = block(x)
        wanted = twin(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted.to(found.dtype), rtol=0.05, atol=0.05)
    found.float().square().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in block.parameters())
    assert block.norm1.running_var.dtype == torch.float32


def plain_cases():
    gelu, norm = dict(type='GELU'), dict(type='BN')
    return {
        'ReLU': MixerBlock(4, 3, 0.0, norm, dict(type='ReLU')),
        'group norm': MixerBlock(4, 3, 0.0, dict(type='GN', num_groups=2), gelu),
        'synchronized': MixerBlock(4, 3, 0.0, dict(type='SyncBN'), gelu).eval(),
        'a large kernel': MixerBlock(4, 11, 0.0, norm, gelu),
        'fixed statistics with gradients': MixerBlock(4, 3, 0.0, norm, gelu).eval(),
    }


@pytest.mark.parametrize('case', plain_cases())
def test_what_the_kernels_do_not_compute_stays_plain(on_cpu, monkeypatch, case):
    seen = calls(monkeypatch)
    block = accelerate(plain_cases()[case], training=True)
    block(torch.randn(2, 4, 5, 5, requires_grad=True))
    assert 'mix' not in seen


def test_drop_path_and_hooks_leave_a_half_plain(on_cpu, monkeypatch):
    seen = calls(monkeypatch)
    x = torch.randn(2, 4, 5, 5)
    dropping = MixerBlock(4, 3, 0.5, dict(type='BN'), dict(type='GELU'))
    dropping = accelerate(dropping, training=True)
    dropping(x)
    assert seen == ['project']
    with torch.no_grad():
        dropping.eval()(x)
    assert seen == ['project', 'mix', 'project']
    hooked = MixerBlock(4, 3, 0.0, dict(type='BN'), dict(type='GELU'))
    hooked = accelerate(hooked, training=True)
    hooked.norm2.register_forward_hook(lambda *_: None)
    hooked(x)
    assert seen[3:] == ['mix']


def test_one_value_a_channel_is_refused_as_by_the_norm(on_cpu):
    block = MixerBlock(4, 3, 0.0, dict(type='BN'), dict(type='GELU'))
    block = accelerate(block, training=True)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        block(torch.randn(1, 4, 1, 1))


def test_cpus_and_blocks_that_nobody_accelerated_stay_plain(monkeypatch):
    seen = calls(monkeypatch)
    block = MixerBlock(4, 3, 0.0, dict(type='BN'), dict(type='GELU'))
    accelerate(copy.deepcopy(block), training=True)(torch.randn(2, 4, 5, 5))
    monkeypatch.setattr(halves, 'available', lambda device: True)
    block(torch.randn(2, 4, 5, 5))
    assert seen == []


@GPU
@pytest.mark.parametrize('k', [3, 5, 7, 9])
@pytest.mark.parametrize('memory', LAYOUTS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_gpu_kernels_equal_the_reference_at_real_shapes(dtype, memory, k):
    from sacm_mm.kernels.gpu import launching as fused
    from sacm_mm.kernels.gpu import reference

    c = 192
    x, dy = (
        torch.randn(5, c, 33, 30, device='cuda').to(dtype).contiguous(memory_format=memory)
        for _ in range(2)
    )
    weight = torch.randn(c, 1, k, k, device='cuda') / k
    bias, gamma, beta = torch.randn(3, c, device='cuda').unbind()
    train = (x, weight, bias, gamma, beta, EPS)
    with torch.backends.cudnn.flags(allow_tf32=False):
        wanted = reference.depthwise_norm(*train)
        back = (dy, x, weight, wanted[1], gamma, *wanted[2:], EPS)
        gradients = reference.depthwise_norm_backward(*back)
    limit = 1e-4 if dtype == torch.float32 else 2e-2
    for found, want in (
        (fused.depthwise_norm(*train), wanted),
        (fused.depthwise_norm_backward(*back), gradients),
    ):
        for a, b in zip(found, want):
            assert float((a - b).abs().max()) <= limit * float(b.abs().max())
    matrix = torch.randn(c, c, 1, 1, device='cuda') / c**0.5
    fixed = (x, matrix, bias, wanted[2], wanted[3] + 1, gamma, beta, EPS)
    a, b = fused.pointwise_eval(*fixed), reference.pointwise_eval(*fixed)
    assert float((a - b).abs().max()) <= max(limit, 1e-3) * float(b.abs().max())


@GPU
@pytest.mark.parametrize('compiled', [False, True])
@pytest.mark.parametrize('with_cp', [False, True])
def test_gpu_network_trains_the_same(with_cp, compiled):
    model = SAConvMixer('d96-l3-k7-p4', with_cp=with_cp).cuda()
    twin = copy.deepcopy(model)
    accelerate(model, training=True)
    run = torch.compile(model) if compiled else model
    x = torch.randn(4, 3, 60, 68, device='cuda')
    with torch.autocast('cuda', torch.bfloat16):
        found = run(x)[0]
        wanted = twin(x)[0]
    found.float().square().mean().backward()
    wanted.float().square().mean().backward()
    assert float((found - wanted).abs().max()) <= 0.05 * float(wanted.abs().max())
    for (name, a), b in zip(model.named_parameters(), twin.parameters()):
        if b.grad.abs().max() > 1e-4:
            cosine = F.cosine_similarity(a.grad.flatten(), b.grad.flatten(), dim=0)
            assert float(cosine) > 0.98, name
    for a, b in zip(model.buffers(), twin.buffers()):
        torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)


@GPU
@torch.no_grad()
def test_gpu_optimized_network_computes_the_same():
    model = SAConvMixer('d96-l3-k7-p4').cuda().eval()
    x = torch.randn(2, 3, 60, 68, device='cuda')
    with torch.backends.cudnn.flags(allow_tf32=False):
        wanted = model(x)[0]
    worst = float(wanted.abs().max())
    assert float((accelerate(model, x)(x)[0] - wanted).abs().max()) <= 2e-3 * worst
    low = accelerate(model, x, dtype=torch.bfloat16)(x)[0]
    assert float((low - wanted).abs().max()) <= 0.05 * worst
