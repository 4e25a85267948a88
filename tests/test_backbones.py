"""What holds for every backbone; registering one enrols it here."""

import copy
import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch import nn

from sacm_mm import ConvMLP, CSMixer, SAConvMixer, UserError
from sacm_mm.swap.names import own_backbones

BACKBONES = list(own_backbones().values())
every_backbone = pytest.mark.parametrize('cls', BACKBONES, ids=lambda cls: cls.__name__)
SIZES = [(480, 360), (321, 481), (224, 224)]
MAPS = (0, 1, 2, -1)


def _small(cls, **kwargs):
    torch.manual_seed(0)
    return cls(**{**cls.small, **kwargs})


def _segmentor(kind, cls):
    """The stock segmentor on four maps, in front of which an isotropic backbone has a pyramid."""
    cfg = dict(type=f'sacm_mm.{cls.__name__}', **cls.small, out_indices=MAPS)
    backbone = ROOT_MODELS.build(cfg)
    neck, channels, strides = None, list(backbone.out_channels), list(backbone.out_strides)
    if len(set(strides)) == 1:
        neck = dict(type='sacm_mm.PixelShufflePyramid', in_channels=channels, in_stride=strides[0])
        channels, strides = [8, 12, 16, 20], [4, 8, 16, 32]
        neck.update(out_channels=channels, out_strides=strides)
    head = {
        'FCNHead': dict(in_channels=channels[-1], in_index=-1, num_convs=1),
        'FPNHead': dict(in_channels=channels, in_index=[0, 1, 2, 3], feature_strides=strides),
        'UPerHead': dict(in_channels=channels, in_index=[0, 1, 2, 3], pool_scales=(1, 2)),
    }[kind]
    return ROOT_MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor'),
            backbone=cfg,
            neck=neck,
            decode_head=dict(type=kind, channels=8, num_classes=5, **head),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )


def test_all_three_are_enrolled():
    assert {'SAConvMixer', 'ConvMLP', 'CSMixer'} <= {cls.__name__ for cls in BACKBONES}


@every_backbone
def test_every_published_arch_says_what_it_returns(cls):
    for arch in cls.archs:
        with torch.device('meta'):
            backbone = cls(arch, out_indices=MAPS).eval()
            maps = backbone(torch.zeros(1, 3, 192, 160))
        assert tuple(x.shape[1] for x in maps) == backbone.out_channels, arch
        for x, stride in zip(maps, backbone.out_strides):
            assert x.shape[2:] == (math.ceil(192 / stride), math.ceil(160 / stride)), arch


@every_backbone
def test_the_same_weights_take_every_size(cls):
    backbone = _small(cls, out_indices=MAPS)
    for h, w in SIZES:
        image = torch.randn(1, 3, h, w)
        for training in (True, False):
            backbone.train(training).zero_grad()
            maps = backbone(image)
            assert isinstance(maps, tuple)
            for x, channels, stride in zip(maps, backbone.out_channels, backbone.out_strides):
                assert x.shape == (1, channels, math.ceil(h / stride), math.ceil(w / stride))
                assert x.is_contiguous() and x.isfinite().all()
            sum((x * torch.randn_like(x)).mean() for x in maps).backward()
            for name, parameter in backbone.named_parameters():
                assert parameter.grad is not None and parameter.grad.isfinite().all(), name
                assert parameter.grad.any(), name


@every_backbone
@pytest.mark.parametrize('size', [(33, 47), (31, 5), (4, 4)])
def test_odd_and_tiny_images(cls, size):
    backbone = _small(cls, out_indices=MAPS).eval()
    for x, stride in zip(backbone(torch.randn(1, 3, *size)), backbone.out_strides):
        assert x.shape[2:] == tuple(math.ceil(side / stride) for side in size)


@every_backbone
def test_out_indices_choose_the_same_maps(cls):
    every = _small(cls, out_indices=MAPS).eval()
    some = _small(cls, out_indices=[-1, 1]).eval()
    unknown = some.load_state_dict(every.state_dict(), strict=False)
    assert not unknown.missing_keys
    image = torch.randn(1, 3, 64, 64)
    maps = every(image)
    torch.testing.assert_close(some(image), (maps[-1], maps[1]))
    assert some.out_channels == (every.out_channels[-1], every.out_channels[1])
    assert some.out_strides == (every.out_strides[-1], every.out_strides[1])


@every_backbone
def test_state_dict_round_trip(cls):
    first, second = _small(cls), cls(**cls.small)
    first(torch.randn(2, 3, 64, 64))  # moves the statistics of the norms, if there are any
    state = copy.deepcopy(first.state_dict())
    second.load_state_dict(state, strict=True)
    assert state.keys() == second.state_dict().keys()
    image = torch.randn(1, 3, 40, 56)
    torch.testing.assert_close(second.eval()(image), first.eval()(image), rtol=0, atol=0)


@every_backbone
def test_frozen_stages_count_from_the_stem(cls):
    levels = len(_small(cls).stages_from_stem()) - 1
    for frozen in range(-1, levels + 1):
        backbone = _small(cls, frozen_stages=frozen)
        assert backbone.train() is backbone
        stages = backbone.stages_from_stem()
        for i, stage in enumerate(stages):
            assert all(module.training == (i > frozen) for module in stage)
            assert all(p.requires_grad == (i > frozen) for m in stage for p in m.parameters())
        staged = {id(p) for stage in stages for module in stage for p in module.parameters()}
        assert {id(p) for p in backbone.parameters()} == staged
        statistics = [[b for m in stage for b in m.buffers()] for stage in stages]
        before = copy.deepcopy(statistics)
        backbone(torch.randn(2, 3, 32, 32))
        for i, pairs in enumerate(zip(before, statistics)):
            assert all(torch.equal(old, new) == (i <= frozen) for old, new in zip(*pairs))


@every_backbone
def test_activation_checkpointing_changes_nothing(cls):
    image = torch.randn(2, 3, 40, 40)
    plain, saving = (_small(cls, with_cp=with_cp, drop_path_rate=0.5) for with_cp in (False, True))
    for backbone in (plain, saving):
        torch.manual_seed(1)  # of drop path
        backbone(image)[0].square().mean().backward()
    for (name, a), b in zip(plain.named_parameters(), saving.parameters()):
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    # a recomputed batch must not be counted twice by the batch norms
    for (name, a), b in zip(plain.named_buffers(), saving.buffers()):
        torch.testing.assert_close(a, b, msg=name)


@every_backbone
def test_checkpointing_saves_activations(cls):
    image = torch.randn(2, 3, 64, 64)
    kept = []
    for with_cp in (False, True):
        backbone, bytes_kept = _small(cls, with_cp=with_cp), []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, bytes_kept=bytes_kept: bytes_kept.append(x.nbytes) or x, lambda x: x
        ):
            backbone(image)
        kept.append(sum(bytes_kept))
    assert kept[1] < kept[0]


@every_backbone
@pytest.mark.parametrize('kind', ['FCNHead', 'FPNHead', 'UPerHead'])
def test_stock_heads_train_and_predict_on_it(cls, kind):
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = _segmentor(kind, cls)
    image = torch.randn(2, 3, 64, 96)
    logits = model.train()(image)
    loss = nn.functional.cross_entropy(
        nn.functional.interpolate(logits, image.shape[2:]), torch.randint(5, (2, 64, 96))
    )
    loss.backward()
    # what feeds only the maps that a head leaves alone has no gradient
    used = [p.grad for p in model.parameters() if p.grad is not None]
    assert loss.isfinite() and all(grad.isfinite().all() for grad in used)
    assert all(p.grad is not None for p in model.decode_head.parameters())
    with torch.no_grad():
        (sample, _) = model.eval()(image, mode='predict')
    assert sample.pred_sem_seg.data.shape == (1, 64, 96)


@every_backbone
def test_builds_under_every_scope(cls):
    for scope in ('mmseg', 'mmpretrain', 'mmengine'):
        with DefaultScope.overwrite_default_scope(scope):
            built = ROOT_MODELS.build(dict(type=f'sacm_mm.{cls.__name__}', **cls.small))
        assert isinstance(built, cls)


@every_backbone
@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (dict(arch='convnext'), "unknown arch 'convnext'"),
        (dict(arch={}), 'exactly the keys'),
        (dict(arch=7), 'a name or a dict'),
        (dict(out_indices=9), r'out_indices must lie in -4\.\.3'),
        (dict(out_indices=()), 'out_indices'),
        (dict(out_indices=(0.5,)), r'out_indices .* got \(0\.5,\)'),
        (dict(out_indices='last'), 'out_indices'),
        (dict(frozen_stages=9), r'-1 \(none\) to 4 \(all\)'),
        (dict(frozen_stages='all'), 'frozen_stages .* got all'),
    ],
)
def test_wrong_arguments_are_named(cls, arguments, says):
    with pytest.raises(UserError, match=says):
        _small(cls, **arguments)


@every_backbone
def test_wrong_channels_are_named(cls):
    with pytest.raises(UserError, match='in_channels=1'):
        _small(cls)(torch.zeros(1, 1, 32, 32))
    assert _small(cls, in_channels=1)(torch.zeros(2, 1, 32, 32))[0].isfinite().all()


@pytest.mark.parametrize('cls', [SAConvMixer, ConvMLP, CSMixer])
@pytest.mark.parametrize('rate', [-0.1, 1.0, 10])
def test_drop_path_that_is_no_share_is_refused(cls, rate):
    """The host's would double branches, give nan, and drop nothing."""
    with pytest.raises(UserError, match=f'drop_path_rate .* got {rate}'):
        _small(cls, drop_path_rate=rate)
