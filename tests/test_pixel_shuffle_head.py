import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from sacm_mm import PixelShuffleHead, UserError


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmseg')


def _head(**kwargs):
    torch.manual_seed(0)
    return PixelShuffleHead(**{'in_channels': 8, 'upscale_factor': 4, 'num_classes': 5, **kwargs})


def _samples(labels):
    samples = []
    for label in labels:
        sample = SegDataSample(metainfo=dict(img_shape=label.shape, ori_shape=label.shape))
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    return samples


def test_the_shuffle_undoes_an_unshuffle():
    head = _head(in_channels=5 * 16, num_classes=5)
    torch.nn.init.dirac_(head.conv_seg.weight)
    torch.nn.init.zeros_(head.conv_seg.bias)
    image = torch.randn(2, 5, 8, 12)
    assert torch.equal(head([F.pixel_unshuffle(image, 4)]), image)


def test_authors_variant_puts_gelu_and_norm_before_the_shuffle():
    head = _head(act_norm=True, norm_cfg=dict(type='BN', eps=1e-3)).eval()
    norm = head.act_norm[1]
    assert norm.num_features == 5 * 16 and norm.eps == 1e-3
    x = torch.randn(1, 8, 3, 3)
    expected = F.pixel_shuffle(norm(F.gelu(head.conv_seg(x))), 4)
    torch.testing.assert_close(head([x]), expected)


def test_several_blocks_are_concatenated():
    head = _head(in_channels=[8, 8, 4], in_index=[0, 2, 3])
    maps = [torch.randn(1, c, 3, 3) for c in (8, 99, 8, 4)]
    expected = F.pixel_shuffle(head.conv_seg(torch.cat([maps[0], maps[2], maps[3]], 1)), 4)
    torch.testing.assert_close(head(maps), expected)


def test_padding_is_cropped_not_resized():
    head = _head()
    labels = torch.randint(0, 5, (2, 10, 13))
    features = [torch.randn(2, 8, 3, 4)]  # 12x16 pixels: 2 rows and 3 columns of padding
    logits = head(features)
    cropped = logits[:, :, :10, :13]
    losses = head.loss_by_feat(logits, _samples(labels))
    torch.testing.assert_close(losses['loss_ce'], F.cross_entropy(cropped, labels))
    for meta in (dict(img_shape=(10, 13)), dict(img_shape=(7, 9), pad_shape=(10, 13))):
        assert torch.equal(head.predict_by_feat(logits, [meta]), cropped)
    # a window of slide inference is marked by a torch.Size and wins over pad_shape
    window = dict(img_shape=torch.Size((10, 13)), pad_shape=(99, 99))
    assert torch.equal(head.predict_by_feat(logits, [window]), cropped)


def test_coarser_backbones_are_interpolated_by_the_host():
    head = _head()
    out = head.predict_by_feat(head([torch.randn(1, 8, 2, 2)]), [dict(img_shape=(32, 32))])
    assert out.shape == (1, 5, 32, 32)


# Not here: the host's FocalLoss fails on a CPU (a slip in its one-hot), and OhemCrossEntropy
# takes no pixel weights, so no BaseDecodeHead can use it.
@pytest.mark.parametrize(
    'loss',
    [
        dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0, 1.0, 1.0, 0.5]),
        dict(type='CrossEntropyLoss', use_sigmoid=True),
        dict(type='DiceLoss'),
        dict(type='LovaszLoss', reduction='none'),
        dict(type='TverskyLoss'),
        [
            dict(type='CrossEntropyLoss', loss_name='loss_ce'),
            dict(type='DiceLoss', loss_name='loss_dice'),
        ],
    ],
    ids=lambda loss: loss['type'] if isinstance(loss, dict) else 'two losses',
)
def test_stock_losses_give_finite_gradients(loss):
    head = _head(loss_decode=loss)
    labels = torch.randint(0, 5, (2, 10, 13))
    labels[0, :2] = 255
    losses = head.loss([torch.randn(2, 8, 3, 4)], _samples(labels), None)
    total = sum(value.sum() for name, value in losses.items() if name.startswith('loss'))
    total.backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_ohem_sampler_and_binary_output():
    head = _head(
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True),
        sampler=None,
    )
    assert head([torch.randn(1, 8, 3, 3)]).shape == (1, 1, 12, 12)
    head = _head(sampler=dict(type='OHEMPixelSampler', thresh=0.7, min_kept=10))
    labels = torch.randint(0, 5, (2, 12, 12))
    assert head.loss([torch.randn(2, 8, 3, 3)], _samples(labels), None)['loss_ce'].isfinite()


def test_as_decode_and_auxiliary_head_of_a_segmentor():
    model = MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=dict(type='sacm_mm.SAConvMixer', arch='d8-l3-k3-p4', out_indices=(1, 2)),
            decode_head=dict(
                type='sacm_mm.PixelShuffleHead', in_channels=8, upscale_factor=4, num_classes=5
            ),
            auxiliary_head=dict(
                type='sacm_mm.PixelShuffleHead',
                in_channels=8,
                in_index=0,
                upscale_factor=4,
                num_classes=5,
                loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4),
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='slide', crop_size=(13, 13), stride=(6, 6)),
        )
    )
    labels = torch.randint(0, 5, (2, 18, 22))
    losses = model.loss(torch.randn(2, 3, 18, 22), _samples(labels))
    assert {'decode.loss_ce', 'aux.loss_ce'} <= set(losses)
    model.eval()
    (prediction,) = model.predict(torch.randn(1, 3, 18, 22), _samples(labels[:1]))
    assert prediction.pred_sem_seg.data.shape == (1, 18, 22)
    assert prediction.seg_logits.data.isfinite().all()


def test_wrong_channels_and_indices_are_named():
    with pytest.raises(UserError, match=r'in_channels=8.*\[6\] channels'):
        _head()([torch.randn(1, 6, 3, 3)])
    with pytest.raises(UserError, match='out_indices'):
        _head(in_index=[0, 1], in_channels=[8, 8])([torch.randn(1, 8, 3, 3)])


@pytest.mark.parametrize('size', [(12, 16), (10, 13), (30, 40)])
def test_losses_are_those_of_the_host(size):
    weight = [0.5, 1.0, 2.0, 1.0, 3.0]
    head = _head(
        loss_decode=[
            dict(type='CrossEntropyLoss', class_weight=weight),
            dict(type='DiceLoss', loss_weight=0.5),
        ]
    )
    labels = torch.randint(0, 5, (2, *size))
    labels[:, :3] = 255
    logits = head([torch.randn(2, 8, 3, 4)])
    host = BaseDecodeHead.loss_by_feat(head, head.at_size(logits, size), _samples(labels))
    ours = head.loss_by_feat(logits, _samples(labels))
    assert set(ours) == set(host)
    for name, value in ours.items():
        torch.testing.assert_close(value, host[name].reshape(()), rtol=1e-4, atol=1e-4)
