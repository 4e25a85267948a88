import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from sacm_mm import PixelShufflePyramid, UserError
from sacm_mm.models.necks.pixel_shuffle_pyramid import PixelShuffleResample

CHANNELS, STRIDES = (6, 8, 12, 16), (4, 8, 16, 32)


@pytest.mark.parametrize('in_stride', [1, 2, 4, 5, 7, 8, 16])
def test_any_stride_to_any_levels(in_stride):
    size = 64
    neck = PixelShufflePyramid(8, in_stride, CHANNELS, STRIDES)
    tokens = -(-size // in_stride)
    levels = neck([torch.randn(2, 8, tokens, tokens)])
    assert (neck.out_channels, neck.out_strides) == (CHANNELS, STRIDES)
    for level, channels, stride in zip(levels, CHANNELS, STRIDES):
        cells = -(-tokens * in_stride // stride)
        assert level.shape == (2, channels, cells, cells)


@pytest.mark.parametrize(('in_stride', 'out_stride'), [(8, 4), (4, 8), (5, 4), (4, 6), (5, 5)])
def test_resampling_keeps_pixels_where_they_are(in_stride, out_stride):
    """A map that holds its own column in pixels still does after the change of stride."""
    layer = PixelShuffleResample(
        in_stride**2, in_stride, out_stride**2, out_stride, dict(type='BN'), dict(type='ReLU')
    )
    columns = torch.arange(120.0).expand(1, 1, 120, 120).contiguous()
    layer.norm = layer.act = nn.Identity()
    # the weights that a pure rearrangement needs: split a patch into the common subpatches
    for conv in (layer.expand, layer.project):
        if isinstance(conv, nn.Conv2d):
            nn.init.zeros_(conv.bias)
    x = F.pixel_unshuffle(columns, in_stride)
    sub = in_stride // layer.up  # side of a common subpatch: both strides are multiples of it
    weight = torch.zeros_like(layer.expand.weight)
    for i in range(in_stride):
        for j in range(in_stride):
            cell = (i // sub) * layer.up + j // sub
            within = (i % sub) * sub + j % sub
            weight[within * layer.up**2 + cell, i * in_stride + j] = 1
    layer.expand.weight.data = weight
    if isinstance(layer.project, nn.Conv2d):
        layer.project.weight.data.zero_()
        for i in range(out_stride):
            for j in range(out_stride):
                cell = (i // sub) * layer.down + j // sub
                within = (i % sub) * sub + j % sub
                layer.project.weight.data[i * out_stride + j, within * layer.down**2 + cell] = 1
    assert torch.equal(F.pixel_shuffle(layer(x), out_stride), columns)


HEADS = {
    'UPerHead': dict(in_channels=CHANNELS, in_index=[0, 1, 2, 3], pool_scales=(1, 2)),
    'FPNHead': dict(in_channels=CHANNELS, in_index=[0, 1, 2, 3], feature_strides=STRIDES),
    'SegformerHead': dict(in_channels=CHANNELS, in_index=[0, 1, 2, 3]),
    'ASPPHead': dict(in_channels=16, in_index=3, dilations=(1, 2)),
}


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize('per_level', [False, True], ids=['one map', 'a block a level'])
def test_pyramid_heads_train_on_the_isotropic_backbone(head, per_level):
    torch.manual_seed(0)
    init_default_scope('mmseg')
    model = MODELS.build(
        ConfigDict(
            type='EncoderDecoder',
            backbone=dict(
                type='sacm_mm.SAConvMixer',
                arch='d8-l4-k3-p5',
                out_indices=(0, 1, 2, 3) if per_level else -1,
            ),
            neck=dict(
                type='sacm_mm.PixelShufflePyramid',
                in_channels=[8] * 4 if per_level else 8,
                in_stride=5,
                out_channels=CHANNELS,
                out_strides=STRIDES,
            ),
            decode_head=dict(
                type=head, channels=8, num_classes=5, norm_cfg=dict(type='BN'), **HEADS[head]
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )
    sample = SegDataSample(metainfo=dict(img_shape=(64, 96), ori_shape=(64, 96)))
    sample.set_data({'gt_sem_seg': PixelData(data=torch.randint(0, 5, (1, 64, 96)))})
    losses = model.loss(torch.randn(2, 3, 64, 96), [sample, sample])
    losses['decode.loss_ce'].backward()
    used = [
        p for n, p in model.named_parameters() if not n.startswith('neck') or head != 'ASPPHead'
    ]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in used)
    model.eval()
    (out,) = model.predict(torch.randn(1, 3, 64, 96), [sample])
    assert out.pred_sem_seg.data.shape == (1, 64, 96)


def test_wrong_lengths_are_named():
    with pytest.raises(UserError, match='4 and 2'):
        PixelShufflePyramid(8, 4, CHANNELS, (4, 8))
    with pytest.raises(UserError, match='one number or one a level'):
        PixelShufflePyramid([8, 8], 4, CHANNELS, STRIDES)
    with pytest.raises(UserError, match='takes 1 map'):
        PixelShufflePyramid(8, 4, CHANNELS, STRIDES)([torch.zeros(1, 8, 4, 4)] * 2)
