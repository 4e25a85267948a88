"""Folding and optimizing keep what a network computes; odd sizes, trained statistics."""

import copy

import pytest
import torch
from conftest import LOADERS
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from sacm_mm import SAConvMixer, accelerate
from sacm_mm.core.configs import load_config
from sacm_mm.kernels.cpu import inference, native
from sacm_mm.kernels.cpu.inference import FusedBackbone, fuses
from sacm_mm.kernels.folding import FoldedBlock, StridedStem, fold, stride_stem

SEG = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
]
FPN = [
    'model.backbone.arch=d16-l4-k3-p5',
    'model.backbone.out_indices=(0,1,2,3)',
    'model.neck.in_channels=[16,16,16,16]',
    'model.neck.out_channels=[8,8,16,16]',
    'model.decode_head.in_channels=[8,8,16,16]',
    'model.decode_head.channels=16',
]
TINY = {
    'sacm_camvid_fpn.py': FPN,
    'sacm_camvid_light.py': SEG,
    'sacm_nyu_light.py': SEG,
    'sacm_nyu_joint_light.py': [
        *SEG,
        'model.depth_head.in_channels=16',
        'model.depth_head.upscale_factor=4',
    ],
    'sacm_cifar10_light.py': [SEG[0], 'model.head.in_channels=16'],
}


def randomized(model: nn.Module) -> nn.Module:
    """Give the norms statistics and weights of both signs, as training does."""
    torch.manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.data.uniform_(-2, 2)
            norm.bias.data.normal_()
    return model.eval()


def tiny_model(name: str, *options: str) -> nn.Module:
    """Build a config's model, small and with statistics."""
    cfg = load_config(name, [*TINY[name], *options, *LOADERS])
    init_default_scope(cfg.default_scope)
    return randomized(MODELS.build(cfg.model))


def assert_same(found, wanted):
    found, wanted = (x if isinstance(x, tuple) else (x,) for x in (found, wanted))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', TINY)
@torch.no_grad()
def test_folded_models_compute_the_same(name):
    model = tiny_model(name)
    before = copy.deepcopy(model.state_dict())
    image = torch.randn(2, 3, 37, 50)
    folded = fold(model)
    assert_same(folded(image), model(image))
    assert_same(stride_stem(folded)(image), model(image))
    assert isinstance(folded.backbone.stem, StridedStem)
    blocks = folded.backbone.blocks
    assert all(isinstance(block, FoldedBlock) for block in blocks)
    into_head = isinstance(blocks[-1].norm2, nn.Identity)
    assert into_head == (len(model.backbone.out_indices) == 1)
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


@torch.no_grad()
def test_the_last_norm_stays_where_others_read_its_map():
    several = randomized(SAConvMixer('d8-l3-k3-p4', out_indices=(0, 2)))
    image = torch.randn(1, 3, 20, 20)
    folded = fold(several)
    assert_same(folded(image), several(image))
    assert isinstance(folded.blocks[-1].norm2, nn.BatchNorm2d)


@pytest.mark.parametrize('norm', ['LN2d', 'GN'])
@torch.no_grad()
def test_norms_without_statistics_stay(norm):
    options = dict(num_groups=2) if norm == 'GN' else {}
    model = SAConvMixer('d8-l2-k3-p4', norm_cfg=dict(type=norm, **options)).eval()
    image = torch.randn(1, 3, 20, 20)
    assert_same(fold(model)(image), model(image))
    assert not any(isinstance(module, FoldedBlock) for module in fold(model).modules())


@torch.no_grad()
def test_folding_in_low_precision_goes_through_float64():
    model = randomized(SAConvMixer('d8-l2-k3-p4')).bfloat16()
    image = torch.randn(1, 3, 16, 16)
    wanted = fold(model.float())(image)
    found = fold(model.bfloat16())(image.bfloat16())[0].float()
    assert (found - wanted[0]).abs().max() < 0.05 * wanted[0].abs().max()


FUSED = {
    'k3': dict(arch='d32-l2-k3-p4'),
    'k5': dict(arch='d64-l2-k5-p5'),
    'k7, ReLU': dict(arch='d32-l1-k7-p2', act_cfg=dict(type='ReLU')),
    'k9, convolution': dict(arch='d32-l2-k9-p3', embed='conv'),
    'several maps': dict(arch='d32-l3-k3-p4', out_indices=(0, 2)),
}


@torch.no_grad()
def test_many_pictures_are_taken_a_few_at_a_time(monkeypatch):
    model = randomized(SAConvMixer('d32-l2-k3-p4', out_indices=(0, 1)))
    if not native.available('inference'):
        pytest.skip('no C++ compiler')
    fused, images = FusedBackbone(fold(model), torch.float32), torch.randn(5, 3, 21, 30)
    monkeypatch.setattr(inference, '_CACHED', 2 * 6 * 8 * 32 * 4)  # two maps of 6x8 tokens
    taken = []
    fused.stem.register_forward_pre_hook(lambda _, arguments: taken.append(len(arguments[0])))
    maps = fused(images)
    assert taken == [2, 2, 1]
    assert_same(maps, model(images))
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in maps)


@pytest.mark.parametrize('options', FUSED.values(), ids=FUSED)
@torch.no_grad()
def test_fused_backbones_compute_the_same(options):
    model = randomized(SAConvMixer(**options))
    if not native.available('inference'):
        pytest.skip('no C++ compiler')
    # wider, narrower and lower than a tile of the kernel, and no multiple of the patch
    for size in ((2, 3, 21, 163), (1, 3, 11, 14), (1, 3, 141, 40)):
        image = torch.randn(size)
        folded = fold(model)
        assert fuses(folded, image.dtype)
        fused = FusedBackbone(folded, image.dtype)
        wanted = model(image)
        assert_same(fused(image), wanted)
        assert_same(fused(image.flip(3)), model(image.flip(3)))  # with the memory of the first
        low = FusedBackbone(fold(model).bfloat16(), torch.bfloat16)(image.bfloat16())
        for a, b in zip(low, wanted):
            assert a.dtype == torch.bfloat16
            assert (a - b).abs().max() < 0.03 * b.abs().max()


def test_what_the_kernel_does_not_do_is_not_fused():
    for options in (
        dict(arch='d40-l1-k3-p4'),
        dict(arch='d32-l1-k11-p4'),
        dict(arch='d32-l1-k3-p4', act_cfg=dict(type='SiLU')),
        dict(arch='d32-l1-k3-p4', norm_cfg=dict(type='GN', num_groups=2)),
    ):
        assert not fuses(fold(SAConvMixer(**options)), torch.float32)
    assert not fuses(fold(SAConvMixer('d32-l1-k3-p4')), torch.float64)


def test_without_a_compiler_nothing_is_fused(monkeypatch, tmp_path):
    monkeypatch.setenv('CXX', 'false')  # a compiler that always fails
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setattr(native, 'why_not', native.why_not.__wrapped__)
    assert not native.available('inference')
    assert not fuses(fold(SAConvMixer('d32-l1-k3-p4')), torch.float32)
    assert not list(tmp_path.glob('sacm_mm/*'))


@torch.no_grad()
def test_without_a_compiler_it_runs_uncompiled(monkeypatch):
    model = tiny_model('sacm_camvid_light.py')
    image = torch.randn(1, 3, 21, 30)
    monkeypatch.setattr(torch, 'compile', _no_compiler)
    assert_same(accelerate(model, image)(image), model(image))
    low = accelerate(model, image, dtype=torch.bfloat16)(image)
    assert low.dtype == torch.float32
    wanted = model(image)
    assert (low - wanted).abs().max() < 0.05 * wanted.abs().max()
    assert not torch.equal(low, wanted)


def _no_compiler(function, **options):
    def run(x):
        raise RuntimeError('no C++ compiler')

    return run


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('dim', [16, 32])  # the second is fused
def test_compiled_models_compute_the_same(dtype, dim):
    wide = [option.replace('16', str(dim)) for option in TINY['sacm_nyu_joint_light.py']]
    model = tiny_model('sacm_nyu_joint_light.py', *wide)
    image = torch.randn(2, 3, 37, 50)
    fast = accelerate(model, image, dtype=dtype)
    for x in (image, torch.randn(1, 3, 24, 41)):  # the second is compiled on the way
        if dtype == torch.float32:
            assert_same(fast(x), model(x))
            continue
        for found, wanted in zip(fast(x), model(x)):
            assert found.dtype == torch.float32
            assert (found - wanted).abs().max() < 0.05 * wanted.abs().max()
