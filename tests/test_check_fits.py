"""Model and data that do not fit are refused in one line, before training."""

import ast
import re

import numpy as np
import own_sources
import pytest
from own_sources import SIZE, build, save
from torch import nn

from sacm_mm.apis.check_fits import check_fits, check_learned_classes
from sacm_mm.apis.checks import check_losses
from sacm_mm.core.errors import UserError
from sacm_mm.deploy.description import channels_of
from sacm_mm.own_data.sources import prepare_source
from sacm_mm.registry import MODELS

TINY = [
    'model.backbone.arch=d16-l2-k3-p4',
    'model.decode_head.in_channels=16',
    'model.decode_head.upscale_factor=4',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
]
STOCK = """
_base_ = '{config}'
def data(part):
    return dict(_delete_=True, type='{kind}', data_root=r'{root}',
                metainfo=dict(classes=('background', 'thing'), palette=[[0, 0, 0], [255, 0, 0]]),
                data_prefix=dict(img_path=f'images/{{part}}', seg_map_path=f'masks/{{part}}'),
                pipeline=[dict(type='LoadImageFromFile'), dict(type='{loader}'),
                          dict(type='PackSegInputs')])
train_dataloader = dict(dataset=data('train'))
val_dataloader = dict(dataset=data('val'))
test_dataloader = val_dataloader
model = dict(decode_head=dict(num_classes=2, loss_decode=dict(class_weight=None)))
del data
"""


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp('own')
    paths = own_sources.folder_numbers(root)
    return prepare_source('folder', paths, root / 'mine', classes='background,car,tree')


@pytest.mark.parametrize(
    ('option', 'answer'),
    [
        ('model.decode_head.upscale_factor=8', 'set upscale_factor=4'),
        ('model.decode_head.upscale_factor=2', 'set upscale_factor=4'),
        ('model.decode_head.num_classes=5', '(background, car, tree): set num_classes=3'),
        ('model.decode_head.loss_decode.class_weight=(1,2)', 'class_weight of 2 values for 3'),
        ('model.backbone.in_channels=1', 'the backbone takes 1 channels: set in_channels=3'),
    ],
)
def test_what_does_not_fit_is_said(option, answer, made):
    name, value = option.split('=')
    _, model, train, _ = build(
        made.config,
        **{
            'model.decode_head.loss_decode.type': 'CrossEntropyLoss',
            name: ast.literal_eval(value),
        },
    )
    with pytest.raises(UserError, match=re.escape(answer)):
        check_fits(model, {'train_dataloader': train})


@pytest.mark.parametrize(
    'backbone',
    [
        'mmpretrain.MobileNetV2', 'mmseg.MobileNetV2', 'mmpretrain.ShuffleNetV1',
        'mmpretrain.ShuffleNetV2', 'mmpretrain.EfficientNet', 'mmpretrain.VGG', 'mmseg.ResNet',
        'sacm_mm.SAConvMixer', 'sacm_mm.ConvMLP', 'sacm_mm.CSMixer',
    ],
)  # fmt: skip
def test_stock_backbones_take_colours(backbone):
    # some count up self.in_channels while they build, MobileNetV2 to 320
    depth = {'VGG': 11, 'ResNet': 18}.get(backbone.partition('.')[2])
    cfg = dict(type=backbone, **({'depth': depth} if depth else {}))
    model = nn.Module()
    model.backbone = MODELS.build(cfg)
    model.data_preprocessor = MODELS.build(
        dict(type='mmseg.SegDataPreProcessor', mean=[120] * 3, std=[60] * 3)
    )
    check_fits(model, {})
    model.data_preprocessor._enable_normalize = False
    assert channels_of(model) == 3


def test_what_does_not_fit_is_said_before_the_work_dir_exists(made, run_tool, work):
    option = 'model.decode_head.num_classes=5'
    done = run_tool('train', made.config, '--work-dir', work, '--cfg-options', *TINY, option)
    assert '(background, car, tree): set num_classes=3' in done.error
    assert not work.exists()


@pytest.mark.parametrize(
    ('value', 'kind', 'loader'),
    [
        (255, 'BaseSegDataset', 'LoadAnnotations'),
        (128, 'BaseSegDataset', 'LoadAnnotations'),
        (128, 'BaseSegDataset', 'sacm_mm.LoadAnnotations'),
        (255, 'sacm_mm.FolderSegDataset', 'LoadAnnotations'),
    ],
)
def test_masks_of_0_and_255_do_not_train_to_nothing(
    value, kind, loader, made, run_tool, tmp_path, work
):
    for part in ('train', 'val'):
        for i in range(4):
            mask = np.zeros(SIZE, np.uint8)
            mask[4:20, 4:20] = value
            save(np.full((*SIZE, 3), i * 9, np.uint8), tmp_path / f'd/images/{part}/{i}.jpg')
            save(mask, tmp_path / f'd/masks/{part}/{i}.png')
    config = tmp_path / 'c.py'
    text = STOCK.format(config=made.config, kind=kind, loader=loader, root=tmp_path / 'd')
    config.write_text(text)
    done = run_tool('train', config, '--work-dir', work, '--cfg-options', *TINY)
    assert 'd/masks/train/' in done.error
    assert ('nothing to learn' if value == 255 else 'holds the value 128') in done.error
    assert not work.exists()


def test_mask_of_another_size_is_found_before_training(made, run_tool, tmp_path, work):
    for part in ('train', 'val'):
        for i in range(4):
            mask = np.zeros(SIZE, np.uint8)
            mask[4:20, 4:20] = 1
            save(np.full((*SIZE, 3), i * 9, np.uint8), tmp_path / f'd/images/{part}/{i}.jpg')
            save(mask[::2, ::2], tmp_path / f'd/masks/{part}/{i}.png')
    config = tmp_path / 'c.py'
    config.write_text(STOCK.format(config=made.config, kind='BaseSegDataset',
                                   loader='LoadAnnotations', root=tmp_path / 'd'))  # fmt: skip
    done = run_tool('train', config, '--work-dir', work, '--cfg-options', *TINY)
    assert 'is 20x16 pixels, but its image is 40x32' in done.error


def test_shipped_set_with_other_classes_says_so(train):
    classes = "train_dataloader.dataset.metainfo.classes=['sky','dragon']"
    assert "CamVidDataset has no class 'dragon'" in train(options=[classes]).error


class _Named:
    def __init__(self, *classes):
        self.metainfo = dict(classes=classes)


def test_parts_of_other_classes_are_refused():
    parts = dict(train_dataloader=_Named('cat', 'dog'), val_dataloader=_Named('cat', 'eel'))
    with pytest.raises(UserError, match="class 1 is 'dog' in train_dataloader, but 'eel' in val_"):
        check_fits(nn.Module(), parts)


def test_a_checkpoint_of_the_same_classes_in_another_order_is_refused():
    learned = dict(meta=dict(dataset_meta=dict(classes=['dog', 'cat'])))
    with pytest.raises(UserError, match=r"class 0 is 'dog' in checkpoint 'w.pth', but 'cat' in"):
        check_learned_classes(learned, 'w.pth', dict(test_dataloader=_Named('cat', 'dog')))
    for fine in (_Named('dog', 'cat'), _Named('Hund', 'Katze'), _Named()):
        check_learned_classes(learned, 'w.pth', dict(test_dataloader=fine))
    check_learned_classes({}, None, dict(test_dataloader=_Named('cat', 'dog')))


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='mmpretrain.ResNet', depth=18),
        dict(type='mmpretrain.RegNet', arch='regnetx_400mf'),
        dict(type='mmpretrain.RepVGG', arch='A0'),
    ],
    ids=lambda backbone: backbone['type'],
)
def test_strides_of_a_hosts_stages_are_not_those_of_its_maps(backbone):
    head = dict(type='sacm_mm.PixelShuffleDepthHead', in_channels=[8] * 4, in_index=[0, 1, 2, 3])
    head.update(upscale_factor=4, min_depth=0.001, max_depth=10.0)
    model = nn.Module()
    model.backbone = MODELS.build({**backbone, 'out_indices': (0, 1, 2, 3)})
    model.decode_head = MODELS.build(head)
    check_fits(model, {})


def test_a_head_of_borders_tells_two_classes_whatever_the_data_has():
    """STDC could not be trained."""
    head = dict(type='mmseg.STDCHead', boundary_threshold=0.1, num_classes=2, in_channels=8)
    model = nn.Module()
    model.auxiliary_head = MODELS.build({**head, 'channels': 4, 'num_convs': 1})
    check_fits(model, dict(test_dataloader=_Named('cat', 'dog', 'eel')))


def test_a_head_without_a_loss_is_not_trained():
    model = nn.Module()
    kind = dict(in_channels=8, upscale_factor=2, loss_decode=[])
    model.decode_head = MODELS.build(dict(type='sacm_mm.PixelShuffleHead', num_classes=2, **kind))
    with pytest.raises(UserError, match='decode_head has an empty loss_decode: give it'):
        check_losses(model)
    head = dict(type='sacm_mm.PixelShuffleDepthHead', uncertainty='laplace', **kind)
    model.decode_head = MODELS.build(head)  # which has the likelihood
    check_losses(model)
