"""Put a backbone into configs: what changes, what stays, what is refused."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS

import sacm_mm
from sacm_mm import UserError
from sacm_mm.core.configs import read_config
from sacm_mm.swap import check_config, describe_changes, find_backbone, restored, write_config
from sacm_mm.swap.adapter import choose_sources
from sacm_mm.swap.dry_run import build_part
from sacm_mm.swap.feature_info import FeatureInfo, with_every_stride
from sacm_mm.swap.names import own_backbones
from sacm_mm.swap.needs import Needs, needs_of
from sacm_mm.swap.swapping import image_size

BACKBONES = list(own_backbones().values())
OURS = 'sa-convmixer-d16-l2-k3-p4'
OURS_D8 = dict(type='sacm_mm.SAConvMixer', arch='d8-l2-k5-p2')
RESNET = dict(type='mmpretrain.ResNet', depth=18)
NORM = dict(type='SyncBN', requires_grad=True)


def _config(decode_head, backbone=None, **model):
    backbone = backbone or dict(
        type='ResNetV1c', depth=18, dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), base_channels=8,
        stem_channels=8, norm_cfg=NORM, frozen_stages=1,
    )  # fmt: skip
    return Config(
        dict(
            default_scope='mmseg',
            crop_size=(64, 64),
            model=dict(
                type='EncoderDecoder',
                data_preprocessor=dict(type='SegDataPreProcessor', size=(64, 64)),
                pretrained='open-mmlab://resnet18_v1c',
                backbone=backbone,
                decode_head=dict(num_classes=5, norm_cfg=NORM, **decode_head),
                train_cfg=dict(),
                test_cfg=dict(mode='whole'),
                **model,
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01)),
        )
    )


def _fcn(index=-1, channels=64):
    return dict(type='FCNHead', in_channels=channels, in_index=index, channels=8, num_convs=1)


def _pyramid_head(kind):
    return {
        'FPNHead': dict(type='FPNHead', in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3],
                        feature_strides=[4, 8, 8, 8], channels=8),
        'UPerHead': dict(type='UPerHead', in_channels=[8, 16, 32, 64], in_index=[0, 1, 2, 3],
                         channels=8, pool_scales=(1, 2)),
    }[kind]  # fmt: skip


@pytest.mark.parametrize('cls', BACKBONES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize('kind', ['FCNHead', 'FPNHead', 'UPerHead'])
def test_every_backbone_swaps_into_stock_heads(cls, kind):
    cfg = _config(_fcn() if kind == 'FCNHead' else _pyramid_head(kind))
    new = with_every_stride(dict(type=f'sacm_mm.{cls.__name__}', **cls.small), True)
    verdict = check_config(sacm_mm.swap_backbone(cfg, new), sizes=[64])
    assert verdict.works, verdict


def test_swapping_back_gives_the_first_config_and_a_file_says_what_changed(tmp_path):
    cfg = _config(
        _fcn(),
        auxiliary_head=dict(_fcn(2, 32), num_classes=5),
    )
    cfg.optim_wrapper.update(
        constructor='LearningRateDecayOptimizerConstructor',
        paramwise_cfg=dict(
            decay_rate=0.9,
            decay_type='stage_wise',
            num_layers=6,
            custom_keys={'layer1': dict(decay_mult=0), 'decode_head': dict(lr_mult=10)},
        ),
    )
    cfg.load_from = 'whole.pth'
    first = copy.deepcopy(cfg.to_dict())
    new = sacm_mm.swap_backbone(cfg, OURS)
    assert cfg.to_dict() == first, 'the config that is given stays'
    assert 'pretrained' not in new.model and 'constructor' not in new.optim_wrapper
    assert new.load_from is None
    assert new.optim_wrapper.paramwise_cfg == {'custom_keys': {'decode_head': {'lr_mult': 10}}}
    assert new.model.backbone.norm_cfg.type == new.model.neck.norm_cfg.type == 'SyncBN'
    assert new.model.decode_head == cfg.model.decode_head

    write_config(new, tmp_path / 'new.py')
    text = (tmp_path / 'new.py').read_text()
    assert all(f'# {line}\n' in text for line in describe_changes(new))
    again = Config.fromfile(tmp_path / 'new.py')
    assert again.to_dict() == new.to_dict()
    assert sacm_mm.swap_backbone(again, cfg.model.backbone).to_dict() == first
    other = sacm_mm.swap_backbone(again, 'convmlp-s')
    assert other.to_dict() == sacm_mm.swap_backbone(cfg, 'convmlp-s').to_dict()
    assert restored(other).to_dict() == first
    del again.model['neck']  # by a user's hand
    assert sacm_mm.swap_backbone(again, 'convmlp-s').to_dict() == other.to_dict()


def test_levels_that_nothing_reads_get_no_weights():
    new = sacm_mm.swap_backbone(_config(_fcn()), 'convmlp-s')
    assert new.model.backbone.out_indices == (3,)
    assert new.model.neck.out_channels == [None, None, None, 64]
    model = build_part(new.model, 'mmseg')
    assert [len([*level.parameters()]) > 0 for level in model.neck.levels] == [False] * 3 + [True]


def test_nothing_stands_between_maps_that_agree():
    head = dict(type='UPerHead', in_channels=[64, 128, 256, 512], in_index=[0, 1, 2, 3], channels=8,
                pool_scales=(1, 2))  # fmt: skip
    new = sacm_mm.swap_backbone(_config(head, dict(type='ResNet', depth=18)), 'convmlp-s')
    assert 'neck' not in new.model
    wider = dict(head, in_channels=[256, 512, 1024, 2048])
    new = sacm_mm.swap_backbone(_config(wider, dict(type='ResNet', depth=50)), 'convmlp-s')
    assert new.model.neck.type == 'sacm_mm.ChannelProjection'


def test_an_own_neck_stays_behind_the_adapter():
    fpn = dict(type='FPN', in_channels=[8, 16, 32, 64], out_channels=8, num_outs=4)
    head = dict(_pyramid_head('FPNHead'), in_channels=[8, 8, 8, 8])
    new = sacm_mm.swap_backbone(_config(head, neck=fpn), OURS)
    assert [neck.type for neck in new.model.neck] == ['sacm_mm.PixelShufflePyramid', 'FPN']
    assert check_config(new, sizes=[64]).works


def test_the_deepest_map_leads_to_the_prediction():
    pyramid = FeatureInfo((1, 2, 3, 4), (4, 8, 16, 32))

    def sources(strides, main):
        needs = Needs((1,) * len(strides), strides, 'map', None, None, (main,), main)
        return choose_sources(needs, pyramid)

    assert sources((4, 8, 8, 8), 3) == [0, 1, 2, 3]  # a dilated ResNet
    assert sources((32,), 0) == [3]
    assert sources((8, 8, 16), 0) == [3, 1, 2]  # BiSeNetV1, whose first map is the fused one
    assert sources((16, 8, 4, 2, 1), 4) == [2, 1, 0, 0, 3]  # U-Net


def test_maps_of_training_only_and_tokens_are_learned():
    ddr = dict(type='DDRNet', channels=8, ppm_channels=8)
    cfg = _config(dict(type='DDRHead', in_channels=32, channels=8,
                       loss_decode=[dict(type='CrossEntropyLoss')] * 2), ddr)  # fmt: skip
    needs = needs_of(cfg.model, 'mmseg', (64, 64))
    assert (needs.channels, needs.strides) == ((16, 32), (8, 8))
    assert (needs.train, needs.predict, needs.read) == (None, 1, (0, 1))
    assert check_config(sacm_mm.swap_backbone(cfg, OURS), sizes=[64]).works

    vit = dict(type='VisionTransformer', img_size=32, patch_size=16, embed_dims=8, num_heads=2,
               num_layers=2, out_indices=(0, 1), output_cls_token=True)  # fmt: skip
    assert needs_of(_config(_fcn(), vit).model, 'mmseg', (64, 64)).element == 'map_and_token'


def test_feature_form():
    form = ROOT_MODELS.build(dict(type='sacm_mm.FeatureForm', predict=1, train=[0, 1]))
    maps = (torch.randn(1, 2, 3, 3), torch.randn(1, 4, 2, 2))
    assert form.eval()(maps) is maps[1] and len(form.train()(maps)) == 2
    tokens = dict(type='sacm_mm.FeatureForm', element='tokens')
    assert ROOT_MODELS.build(tokens)(maps)[1].shape == (1, 4, 4)
    pair = ROOT_MODELS.build(dict(type='sacm_mm.FeatureForm', element='map_and_token'))(maps)[1]
    torch.testing.assert_close(pair[1], maps[1].mean((2, 3)))
    with pytest.raises(UserError, match='map_and_token'):
        ROOT_MODELS.build(dict(type='sacm_mm.FeatureForm', element='map_token'))


def test_a_classifier_gets_another_number_of_channels():
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='ResNet', depth=18),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', in_channels=512, num_classes=4,
                          loss=dict(type='CrossEntropyLoss')),
            ),
        )
    )  # fmt: skip
    new = sacm_mm.swap_backbone(cfg, OURS)
    assert new.model.head.in_channels == 16 and new.model.neck == cfg.model.neck
    assert check_config(new, sizes=[32]).works
    assert sacm_mm.swap_backbone(new, cfg.model.backbone).to_dict() == cfg.to_dict()


def test_a_neck_with_weights_of_its_own_keeps_its_channels():
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='VisionTransformer', arch='deit-tiny', img_size=32, frozen_stages=12),
        neck=dict(type='ClsBatchNormNeck', input_features=192),
        head=dict(type='VisionTransformerClsHead', in_channels=192, num_classes=4),
    )
    cfg = Config(dict(default_scope='mmpretrain', model=model))
    assert check_config(cfg, sizes=[32]).works  # nothing of its backbone is trained
    new = sacm_mm.swap_backbone(cfg, OURS)
    assert new.model.head.in_channels == 192
    assert check_config(new, sizes=[32]).works


def test_images_of_one_channel_and_a_backbone_that_ends_in_a_vector():
    pipeline = [dict(type='Resize', scale=32), dict(type='PackInputs')]
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            train_dataloader=dict(dataset=dict(dataset=dict(pipeline=pipeline))),
            data_preprocessor=dict(mean=[33.46], std=[78.87], num_classes=10),
            model=dict(
                type='ImageClassifier',
                backbone=dict(type='LeNet5', num_classes=10),
                head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')),
            ),
        )
    )
    assert check_config(cfg, sizes=[32]).works
    new = sacm_mm.swap_backbone(cfg, OURS)
    assert new.model.backbone.in_channels == 1
    assert check_config(new, sizes=[32]).works


def test_refusals_have_the_reason():
    cfg = _config(_fcn())
    del cfg.model['backbone']
    with pytest.raises(UserError, match='EncoderDecoder has no backbone'):
        sacm_mm.swap_backbone(cfg, OURS)
    with pytest.raises(UserError, match='give a leaf config'):
        sacm_mm.swap_backbone(Config(dict(lr=1)), OURS)
    with pytest.raises(UserError, match='does not build'):
        sacm_mm.swap_backbone(_config(dict(type='NoHead')), OURS)
    distilled = dict(type='mmpretrain.DistilledVisionTransformer', arch='deit-tiny')
    with pytest.raises(UserError, match='several tokens'):
        needs_of(dict(backbone=distilled), 'mmpretrain', (224, 224))
    with pytest.raises(UserError, match='classifies by itself'):
        needs_of(dict(backbone=dict(type='InceptionV3')), 'mmpretrain', (299, 299))
    headless = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18))
    verdict = check_config(Config(dict(default_scope='mmpretrain', model=headless)))
    assert verdict.reason == 'it has no head, and so no loss'


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('sa-convmixer-d512-l12-k5-p4', dict(type='sacm_mm.SAConvMixer', arch='d512-l12-k5-p4')),
        ('sa-convmixer-d8-l2-k5-p2-conv', dict(OURS_D8, embed='conv')),
        ('cs-mixer-t', dict(type='sacm_mm.CSMixer', arch='t', out_indices=(0, 1, 2, 3))),
        ('mmpretrain:resnet/18', dict(RESNET, out_indices=(0, 1, 2, 3))),
        ('dict(type="ResNet", depth=18)', dict(type='ResNet', depth=18)),
    ],
)  # fmt: skip
def test_names(name, expected):
    assert find_backbone(name) == expected


def test_names_of_stock_configs():
    mit = find_backbone('mmseg:mit-b0')
    assert mit['type'] == 'mmseg.MixVisionTransformer' and mit['embed_dims'] == 32
    assert 'init_cfg' not in mit
    resnet = find_backbone('mmpretrain:resnet/resnet18_8xb32_in1k.py')
    assert (resnet['type'], resnet['depth']) == ('mmpretrain.ResNet', 18)


@pytest.mark.parametrize(
    ('name', 'says'),
    [
        ('convmlp-x', 'choose from s, m, l'),
        ('convnext/tiny', 'mmpretrain:convnext/tiny'),
        ('mmpretrain:convnext/tinny', 'mmpretrain:convnext/tiny'),
        ('missing.py', 'does not exist'),
        ('{broken', 'no dict of plain values'),
        ('mmseg:fcn/none.py', 'no stock config'),
        ('mmpretrain:mlpmixer/base', 'tokens'),
    ],
)
def test_wrong_names_say_what_is_near(name, says):
    with pytest.raises(UserError, match=says):
        find_backbone(name)


NEW_STYLE = {
    'mmseg': """
from mmseg.models import EncoderDecoder, FCNHead, ResNetV1c, SegDataPreProcessor
model = dict(
    type=EncoderDecoder,
    data_preprocessor=dict(type=SegDataPreProcessor, size=(64, 64)),
    backbone=dict(type=ResNetV1c, depth=18, base_channels=8, stem_channels=8),
    decode_head=dict(type=FCNHead, in_channels=64, in_index=3, channels=8, num_convs=1,
                     num_classes=5),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
""",
    'mmpretrain': """
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, ResNet
from mmpretrain.models.losses import CrossEntropyLoss
model = dict(
    type=ImageClassifier,
    backbone=dict(type=ResNet, depth=18, out_indices=(3,)),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=7, in_channels=512,
              loss=dict(type=CrossEntropyLoss)))
""",
}


@pytest.mark.parametrize('scope', NEW_STYLE)
def test_pure_python_configs_swap_like_text_ones(tmp_path, scope):
    (tmp_path / 'base.py').write_text(NEW_STYLE[scope])
    (tmp_path / 'leaf.py').write_text(
        'from mmengine.config import read_base\n'
        'from torch.optim import SGD\n'
        'with read_base():\n    from .base import *\n'
        f"default_scope = '{scope}'\n"
        'optim_wrapper = dict(optimizer=dict(type=SGD, lr=0.1))\n'
    )
    cfg = read_config(tmp_path / 'leaf.py')
    new = sacm_mm.swap_backbone(cfg, OURS)
    write_config(new, tmp_path / 'new.py')
    again = Config.fromfile(tmp_path / 'new.py')
    assert again.to_dict() == new.to_dict()
    assert check_config(again, sizes=[64]).works
    assert sacm_mm.swap_backbone(again, cfg.model.backbone).to_dict() == cfg.to_dict()


def test_size_of_images_is_that_of_concatenated_sets():
    part = dict(type='CustomDataset', pipeline=[dict(type='RandomResizedCrop', scale=96)])
    sets = dict(type='ConcatDataset', datasets=[part, part])
    assert image_size(dict(model={}, train_dataloader=dict(dataset=sets))) == (96, 96)
