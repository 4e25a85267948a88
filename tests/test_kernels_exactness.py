"""What a kernel does not know exactly runs plain: accelerated networks compute what they are."""

import copy
import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.flop_counter import FlopCounterMode

from sacm_mm import SAConvMixer, UserError, accelerate
from sacm_mm.kernels.accelerating import fast_parts
from sacm_mm.kernels.blocks import is_fast
from sacm_mm.kernels.cpu import native
from sacm_mm.kernels.cpu.inference import FusedBackbone
from sacm_mm.kernels.folding import fold
from sacm_mm.models.backbones.sa_convmixer import MixerBlock, PatchEmbed

pytestmark = pytest.mark.skipif(not native.available('training'), reason='no C++ compiler')
C = 32  # channels, the fewest that the inference kernel takes


class Doubling(nn.Conv2d):
    """A subclass that computes something else."""

    def forward(self, x):
        return 2 * super().forward(x)


class DoublingNorm(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


class DoublingGELU(nn.GELU):
    def forward(self, x):
        return 2 * super().forward(x)


class DoublingBlock(MixerBlock):
    def forward(self, x):
        return 2 * super().forward(x)


class DoublingStem(PatchEmbed):
    def forward(self, x):
        return 2 * super().forward(x)


class DoublingBackbone(SAConvMixer):
    def forward(self, x):
        return tuple(2 * y for y in super().forward(x))


class Rounding(nn.Module):
    def forward(self, weight):
        return (weight * 64).round() / 64


def depthwise(**options):
    return lambda block: setattr(block, 'depthwise', nn.Conv2d(C, C, **options))


def pointwise(**options):
    return lambda block: setattr(block, 'pointwise', nn.Conv2d(C, C, **options))


def part(name, module):
    return lambda block: setattr(block, name, module())


def hook(name):
    return lambda block: getattr(block, name).register_forward_hook(lambda m, x, y: 2 * y)


def another_class(kind):
    return lambda block: setattr(block, '__class__', kind)


def another_forward(block):
    block.act.forward = lambda x: F.gelu(2 * x)


BLOCKS = {
    'dilation': depthwise(kernel_size=3, padding=2, dilation=2, groups=C),
    'oblong dilation': depthwise(kernel_size=3, padding=(2, 1), dilation=(2, 1), groups=C),
    'kernel of two sizes': depthwise(kernel_size=(3, 5), padding=(1, 2), groups=C),
    'large kernel': depthwise(kernel_size=11, padding=5, groups=C),
    'reflecting': depthwise(kernel_size=3, padding=1, padding_mode='reflect', groups=C),
    'circular': depthwise(kernel_size=3, padding=1, padding_mode='circular', groups=C),
    'padding by name': depthwise(kernel_size=3, padding='same', groups=C),
    'two channels a group': depthwise(kernel_size=3, padding=1, groups=C // 2),
    'dense': depthwise(kernel_size=3, padding=1),
    'depthwise without bias': depthwise(kernel_size=3, padding=1, groups=C, bias=False),
    'depthwise 1x1': depthwise(kernel_size=1, groups=C),
    'depthwise subclass': part('depthwise', lambda: Doubling(C, C, 3, padding=1, groups=C)),
    'pointwise 3x3': pointwise(kernel_size=3, padding=1),
    'pointwise in groups': pointwise(kernel_size=1, groups=4),
    'pointwise without bias': pointwise(kernel_size=1, bias=False),
    'pointwise subclass': part('pointwise', lambda: Doubling(C, C, 1)),
    'group norm': part('norm1', lambda: nn.GroupNorm(4, C)),
    'instance norm': part('norm2', lambda: nn.InstanceNorm2d(C, affine=True)),
    'norm subclass': part('norm1', lambda: DoublingNorm(C)),
    'norm without weights': part('norm1', lambda: nn.BatchNorm2d(C, affine=False)),
    'norm without statistics': part('norm2', lambda: nn.BatchNorm2d(C, track_running_stats=False)),
    'norm of averages': part('norm1', lambda: nn.BatchNorm2d(C, momentum=None)),
    'norm that keeps its statistics': lambda block: setattr(
        block.norm1, 'track_running_stats', False
    ),
    'no norm': part('norm2', nn.Identity),
    'GELU by tanh': part('act', lambda: nn.GELU(approximate='tanh')),
    'GELU subclass': part('act', DoublingGELU),
    'ReLU in place': part('act', lambda: nn.ReLU(inplace=True)),
    'SiLU': part('act', nn.SiLU),
    'replaced forward': another_forward,
    'scaled drop path': part('drop_path', lambda: nn.Hardtanh(-0.1, 0.1)),
    'gate': part('squeeze', lambda: nn.Hardtanh(-0.1, 0.1)),
    'block subclass': another_class(DoublingBlock),
    **{f'hook on {name}': hook(name) for name in ('depthwise', 'pointwise', 'norm1', 'norm2')},
    'hook on act': hook('act'),
    'hook before': lambda block: block.norm2.register_forward_pre_hook(lambda m, x: (2 * x[0],)),
    'hook on the block': lambda block: block.register_forward_hook(lambda m, x, y: 2 * y),
    'pruned': lambda block: prune.random_unstructured(block.pointwise, 'weight', 0.5),
    'spectral norm': lambda block: parametrizations.spectral_norm(block.pointwise).eval(),
    'parametrised': lambda block: nn.utils.parametrize.register_parametrization(
        block.depthwise, 'weight', Rounding()
    ),
    'frozen norm': lambda block: block.norm1.eval(),
    'drop path': part('drop_path', lambda: DropPath(1e-6)),
    'one more part': lambda block: block.add_module('more', nn.Identity()),
    'nothing': lambda block: None,
}
NETWORKS = {
    'stem subclass': lambda net: another_class(DoublingStem)(net.stem),
    'stem hook': lambda net: hook('norm')(net.stem),
    'stem of another act': lambda net: setattr(net.stem, 'act', nn.Tanh()),
    'strided stem': lambda net: setattr(net.stem, 'proj', nn.Conv2d(48, C, 1, stride=2)),
    'shared block': lambda net: net.blocks.__setitem__(2, net.blocks[0]),
    'shared pointwise': lambda net: setattr(net.blocks[1], 'pointwise', net.blocks[0].pointwise),
    'shared weights': lambda net: setattr(
        net.blocks[1].pointwise, 'weight', net.blocks[0].pointwise.weight
    ),
    'hook on the backbone': lambda net: net.register_forward_hook(lambda m, x, y: (2 * y[0],)),
    'backbone subclass': another_class(DoublingBackbone),
}


def networks():
    for name, change in BLOCKS.items():
        yield pytest.param(lambda net, f=change: f(net.blocks[1]), id=name)
    for name, change in NETWORKS.items():
        yield pytest.param(change, id=name)


def changed(change):
    torch.manual_seed(0)
    net = SAConvMixer(f'd{C}-l3-k3-p4')
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, -2, 2)
            nn.init.normal_(norm.bias)
    change(net)
    return net


def step(net, x):
    (out,) = net(x)
    out.square().mean().backward()
    grads = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return [out.detach(), *grads.values(), *net.buffers()], list(grads)


@pytest.mark.parametrize('change', networks())
def test_training_computes_what_the_network_does(change):
    plain, fast = changed(change), changed(change)
    fast.load_state_dict(plain.state_dict())
    assert accelerate(fast, training=True) is fast
    assert list(fast.state_dict()) == list(plain.state_dict())
    x = torch.randn(2, 3, 30, 41)
    torch.manual_seed(1)
    wanted, names = step(plain, x)
    torch.manual_seed(1)
    found, found_names = step(fast, x)
    assert found_names == names
    for a, b in zip(found, wanted):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('change', networks())
@torch.no_grad()
def test_inference_computes_what_the_network_does(change):
    net = changed(change).eval()
    x = torch.randn(2, 3, 30, 41)
    (wanted,) = net(x)
    torch.testing.assert_close(accelerate(net)(x)[0], wanted, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(net(x)[0], wanted)  # the network itself stays


def test_a_plain_network_is_taken_whole():
    net = changed(BLOCKS['nothing'])
    assert isinstance(accelerate(net), FusedBackbone)
    assert fast_parts(accelerate(net, training=True)) == [
        'stem',
        *(f'blocks.{i}' for i in range(3)),
    ]


@pytest.mark.parametrize('dilation', [1, 2, 5])
@pytest.mark.parametrize('kernel', native.KERNEL_SIZES)
def test_dilated_kernels_are_known(kernel, dilation):
    plain = SAConvMixer(f'd{C}-l2-k{kernel}-p4-dil{dilation}')
    fast = copy.deepcopy(plain)
    accelerate(fast, training=True)
    x = torch.randn(2, 3, 47, 90)
    for a, b in zip(step(fast, x)[0], step(plain, x)[0]):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    plain.eval()
    folded = accelerate(plain)
    assert isinstance(folded, FusedBackbone)
    for size in ((47, 90), (9, 13)):
        x = torch.randn(1, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(folded(x)[0], plain(x)[0], rtol=1e-4, atol=1e-5)


def test_hooks_that_come_later_are_met():
    net = changed(BLOCKS['nothing'])
    accelerate(net, training=True)
    seen = []
    net.blocks[0].norm1.register_forward_hook(lambda m, x, y: seen.append(1))
    net(torch.randn(2, 3, 16, 16))
    assert seen == [1]


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64])
def test_networks_of_another_precision_compute_in_it(dtype):
    plain = changed(BLOCKS['nothing']).to(dtype)
    fast = copy.deepcopy(plain)
    accelerate(fast, training=True)
    x = torch.randn(2, 3, 16, 16, dtype=dtype)
    (found,), (wanted,) = fast(x), plain(x)
    assert found.dtype == dtype
    scale = float(wanted.abs().max())
    assert float((found - wanted).abs().max()) <= (1e-6 if dtype == torch.float64 else 0.05) * scale


def test_autocast_of_a_type_without_kernels_runs_plain():
    net = changed(BLOCKS['nothing'])
    accelerate(net, training=True)
    with torch.autocast('cpu', torch.float16):
        assert net(torch.randn(2, 3, 16, 16))[0].dtype == torch.float16


def test_one_value_a_channel_is_refused_as_by_the_norm():
    net = accelerate(SAConvMixer('d8-l1-k3-p4'), training=True)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        net(torch.randn(1, 3, 4, 4))


def test_operations_are_counted_as_those_of_the_plain_network():
    counts = []
    for net in (changed(BLOCKS['nothing']), accelerate(changed(BLOCKS['nothing']), training=True)):
        with FlopCounterMode(display=False) as counter:
            net(torch.randn(2, 3, 16, 16))
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] > 0


def test_checkpoints_load_and_save_in_both_directions():
    plain, fast = changed(BLOCKS['nothing']), SAConvMixer(f'd{C}-l3-k3-p4')
    accelerate(fast, training=True)
    fast.load_state_dict(plain.state_dict(), strict=True)
    again = SAConvMixer(f'd{C}-l3-k3-p4')
    again.load_state_dict(fast.state_dict(), strict=True)
    for (name, a), (other, b) in zip(plain.state_dict().items(), again.state_dict().items()):
        assert name == other
        assert torch.equal(a, b)
    order = [name for name, _ in plain.named_parameters()]
    assert [name for name, _ in fast.named_parameters()] == order  # as optimizers number them


def test_training_starts_from_the_same_parameters():
    net = SAConvMixer('d8-l1-k3-p4')
    before = list(net.parameters())
    accelerate(net, training=True)
    assert all(a is b for a, b in zip(net.parameters(), before))  # an optimizer holds them
    accelerate(net, training=True)
    assert all(is_fast(block) for block in net.blocks)


@torch.no_grad()
def test_a_network_in_training_gets_its_fast_copy():
    net = accelerate(changed(BLOCKS['nothing']), training=True)
    fast = accelerate(net)
    assert isinstance(fast, FusedBackbone)
    assert net.training
    x = torch.randn(1, 3, 20, 20)
    torch.testing.assert_close(fast(x)[0], net.eval()(x)[0], rtol=1e-4, atol=1e-5)


def test_the_fast_copy_keeps_no_second_weights():
    folded = fold(SAConvMixer(f'd{C}-l1-k3-p4'))
    original = weakref.ref(folded.blocks[0].pointwise.weight)
    fused = FusedBackbone(folded, torch.float32)
    del folded
    gc.collect()
    assert original() is None
    with pytest.raises(UserError, match='smaller than one'):
        fused(torch.randn(1, 3, 3, 3))


def test_options_of_inference_are_refused_for_training():
    with pytest.raises(ValueError, match='for inference'):
        accelerate(SAConvMixer('d8-l1-k3-p4'), torch.randn(1, 3, 8, 8), training=True)
