import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sacm_mm import PixelShuffleHead, SAConvMixer, UserError, convert_stem
from sacm_mm.kernels.accelerating import accelerate, fast_parts
from sacm_mm.models.backbones.sa_convmixer import PUBLISHED_ARCHS

TINY = 'd16-l3-k3-p4'


def _backbone(arch=TINY, **kwargs):
    torch.manual_seed(0)
    return SAConvMixer(arch, **kwargs)


def _dense(arch, classes, taps=(-1,)):
    """The paper's network for a dense task: backbone and head, with the authors' GELU and BN."""
    backbone = SAConvMixer(arch, out_indices=taps)
    head = PixelShuffleHead(
        [backbone.embed_dims] * len(taps),
        upscale_factor=backbone.patch_size,
        num_classes=classes,
        threshold=0.0,
        act_norm=True,
        in_index=list(range(len(taps))),
    )
    return nn.Sequential(backbone, head)


def _classifier(arch, classes):
    backbone = SAConvMixer(arch)

    class Last(nn.Module):
        def forward(self, maps):
            return maps[-1].mean((2, 3))

    return nn.Sequential(backbone, Last(), nn.Linear(backbone.embed_dims, classes))


# facts of the paper: parameters in millions, multiply-accumulates in billions
PUBLISHED = {
    'cifar10': (lambda: _classifier('d256-l8-k7-p2', 10), (32, 32), 0.643, 0.161),
    'imagenet-768': (lambda: _classifier('d768-l32-k7-p7', 1000), (224, 224), 21.11, 20.68),
    'imagenet-1536': (lambda: _classifier('d1536-l20-k9-p7', 1000), (224, 224), 51.63, 51.10),
    'voc': (lambda: _dense('d512-l12-k5-p5', 21), (320, 320), 3.647, 14.77),
    'ade20k': (lambda: _dense('d512-l16-k5-p5', 150, range(7, 16)), (320, 320), 21.78, 88.96),
    'cityscapes': (lambda: _dense('d512-l12-k5-p5', 19), (256, 512), 3.62, None),
    'nyu': (lambda: _dense('d256-l12-k5-p5', 1), (480, 640), 0.908, 10.92),
    'cityscapes-depth': (lambda: _dense('d256-l12-k5-p8', 1), (512, 1024), 0.948, 7.61),
}


def _rounded(figure):
    """The published figure, give or take its last digit (one is rounded up from 88.955)."""
    return pytest.approx(figure, abs=0.6 * 10.0 ** -len(str(figure).split('.')[1]))


@pytest.mark.parametrize('name', PUBLISHED)
def test_parameters_and_macs_are_the_published_ones(name):
    build, size, params, gmacs = PUBLISHED[name]
    with torch.device('meta'):  # counted, not computed
        net = build().eval()
        digits = len(str(params).split('.')[1])
        assert round(sum(p.numel() for p in net.parameters()) / 1e6, digits) == pytest.approx(
            params
        )
        if gmacs is None:
            return
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(torch.zeros(1, 3, *size))
    assert counter.get_total_flops() / 2e9 == _rounded(gmacs)


def test_macs_follow_the_closed_formula():
    dim, layers, kernel, patch, classes = 24, 3, 5, 4, 7
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net = _dense(f'd{dim}-l{layers}-k{kernel}-p{patch}', classes).eval()
        net(torch.zeros(2, 3, 32, 48))
    tokens = 2 * (32 // patch) * (48 // patch)
    stem, head = 3 * patch**2 * dim, dim * classes * patch**2
    block = dim * kernel**2 + dim**2
    assert counter.get_total_flops() == 2 * tokens * (stem + layers * block + head)


@pytest.mark.parametrize('arch', PUBLISHED_ARCHS)
def test_every_published_name_builds(arch):
    with torch.device('meta'):
        backbone = SAConvMixer(arch)
    dim, layers, kernel, patch = (int(part[1:]) for part in arch.split('-'))
    assert (backbone.embed_dims, backbone.depth) == (dim, layers)
    assert (backbone.kernel_size, backbone.patch_size) == (kernel, patch)
    assert (backbone.out_channels, backbone.out_strides) == ((dim,), (patch,))


def test_dict_arch_equals_its_name():
    arch = dict(embed_dims=16, depth=3, kernel_size=3, patch_size=4)
    named, by_dict = _backbone(), _backbone(arch)
    x = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(named(x), by_dict(x))
    assert arch == dict(embed_dims=16, depth=3, kernel_size=3, patch_size=4)


@pytest.mark.parametrize('size', [(32, 32), (33, 47), (4, 4), (31, 5)])
def test_any_size_pads_to_the_patch(size):
    (out,) = _backbone()(torch.randn(2, 3, *size))
    assert out.shape == (2, 16, -(-size[0] // 4), -(-size[1] // 4))


def test_out_indices_negatives_and_order():
    backbone = _backbone(out_indices=[-1, 0, 1]).eval()
    x = torch.randn(1, 3, 16, 16)
    last, first, second = backbone(x)
    assert backbone.out_indices == (2, 0, 1)
    assert backbone.out_channels == (16, 16, 16)
    stem = backbone.stem(x)
    torch.testing.assert_close(first, backbone.blocks[0](stem))
    torch.testing.assert_close(second, backbone.blocks[1](first))
    torch.testing.assert_close(last, backbone.blocks[2](second))


def test_the_two_stems_are_the_same_map():
    torch.manual_seed(0)
    conv = SAConvMixer('d16-l2-k3-p5', embed='conv').double().eval()
    unshuffle = SAConvMixer('d16-l2-k3-p5').double().eval()
    unshuffle.load_state_dict(convert_stem(conv.state_dict(), 'pixel_unshuffle'))
    x = torch.randn(2, 3, 23, 31, dtype=torch.float64)
    torch.testing.assert_close(unshuffle(x), conv(x), rtol=1e-10, atol=1e-10)
    back = convert_stem(unshuffle.state_dict(), 'conv')
    assert all(torch.equal(back[key], value) for key, value in conv.state_dict().items())


def test_stem_conversion_inside_a_model_and_its_errors():
    state = {f'backbone.{k}': v for k, v in _backbone(in_channels=4).state_dict().items()}
    converted = convert_stem(state, 'conv', in_channels=4)
    assert converted['backbone.stem.proj.weight'].shape == (16, 4, 4, 4)
    with pytest.raises(UserError, match='in_channels'):
        convert_stem(state, 'conv', in_channels=3)
    with pytest.raises(UserError, match='no SAConvMixer stem'):
        convert_stem({}, 'conv')
    with pytest.raises(UserError, match='pixel_unshuffle, conv'):
        convert_stem(state, 'linear')


@pytest.mark.parametrize('act', ['GELU', 'ReLU'])
def test_same_output_as_mmpretrain_convmixer(act):
    mmpretrain_models = pytest.importorskip('mmpretrain.models')
    arch = dict(embed_dims=16, depth=3, kernel_size=5, patch_size=4)
    theirs = mmpretrain_models.ConvMixer(arch, act_cfg=dict(type=act), out_indices=2)
    ours = SAConvMixer(arch, embed='conv', act_cfg=dict(type=act))
    names = {
        'stem.0': 'stem.proj', 'stem.2': 'stem.norm',
        **{
            f'stages.{i}.{theirs_name}': f'blocks.{i}.{ours_name}'
            for i in range(3)
            for theirs_name, ours_name in (
                ('0.fn.0', 'depthwise'), ('0.fn.2', 'norm1'), ('1', 'pointwise'), ('3', 'norm2'),
            )
        },
    }  # fmt: skip
    state = {}
    for key, value in theirs.state_dict().items():
        module, _, tensor = key.rpartition('.')
        state[f'{names[module]}.{tensor}'] = value
    ours.load_state_dict(state)
    x = torch.randn(2, 3, 32, 24)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-5, atol=1e-5)


def test_checkpointing_counts_a_batch_once_with_compiled_kernels():
    plain, saving = (_backbone(with_cp=with_cp) for with_cp in (False, True))
    if not all(fast_parts(accelerate(model, training=True)) for model in (plain, saving)):
        pytest.skip('no C++ compiler')
    for _ in range(2):
        image = torch.randn(2, 3, 16, 16)
        for backbone in (plain, saving):
            backbone(image)[0].square().mean().backward()
    for (name, a), b in zip(plain.named_buffers(), saving.buffers()):
        torch.testing.assert_close(a, b, msg=name)


def test_norm_and_activation_are_chosen_by_config():
    backbone = _backbone(norm_cfg=dict(type='BN', eps=1e-3), act_cfg=dict(type='ReLU'))
    assert backbone.stem.norm.eps == 1e-3
    assert isinstance(backbone.blocks[0].act, nn.ReLU)


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (dict(arch='d512'), 'd512-l12-k5-p5'),
        (dict(arch='convnext'), 'd<dim>-l<layers>-k<kernel>-p<patch>'),
        (dict(arch='d16-l3-k4-p4'), 'odd'),
        (dict(arch='d16-l0-k3-p4'), 'depth must be a positive integer'),
        (dict(arch=dict(embed_dims=16)), 'exactly the keys'),
        (dict(arch=7), 'a name or a dict'),
        (dict(embed='linear'), 'pixel_unshuffle, conv'),
        (dict(out_indices=3), r'-3..2'),
        (dict(out_indices=()), r'-3..2'),
        (dict(frozen_stages=4), 'frozen_stages'),
    ],
)
def test_wrong_arguments_are_named(arguments, says):
    with pytest.raises(UserError, match=says):
        SAConvMixer(**{'arch': TINY, **arguments})


def test_wrong_inputs_are_named():
    backbone = _backbone()
    with pytest.raises(UserError, match='smaller than one 4x4 patch'):
        backbone(torch.zeros(1, 3, 3, 8))
    with pytest.raises(UserError, match='in_channels=1'):
        backbone(torch.zeros(1, 1, 8, 8))
