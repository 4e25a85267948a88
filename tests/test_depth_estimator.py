"""Depth alone and with segmentation, in every mode of inference."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from sacm_mm import UserError
from sacm_mm.apis.checks import check_heads

WHOLE = dict(mode='whole')
SLIDE = dict(mode='slide', crop_size=(13, 13), stride=(6, 7))
SIZE = (18, 22)
L1 = dict(type='sacm_mm.DepthL1Loss')
DEPTH_HEAD = dict(
    type='sacm_mm.PixelShuffleDepthHead',
    in_channels=8,
    in_index=-1,
    upscale_factor=4,
    loss_decode=L1,
)
SEG_HEAD = dict(
    type='sacm_mm.PixelShuffleHead', in_channels=8, in_index=-1, upscale_factor=4, num_classes=5
)
COMMON = dict(
    backbone=dict(type='sacm_mm.SAConvMixer', arch='d8-l3-k3-p4', out_indices=(1, 2)),
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[0.0] * 3, std=[255.0] * 3, size_divisor=8
    ),
    train_cfg=dict(),
)


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmseg')


def _build(type='sacm_mm.DepthEstimator', test_cfg=WHOLE, **kwargs):
    kwargs.setdefault('decode_head', DEPTH_HEAD)
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(type=type, test_cfg=test_cfg, **{**COMMON, **kwargs}))
    for name, parameter in model.named_parameters():
        if name.endswith('conv_seg.weight'):
            torch.nn.init.normal_(parameter)  # depths that differ
    return model.eval()


def _joint(depth_head=DEPTH_HEAD, **kwargs):
    return _build(
        'sacm_mm.SegDepthEstimator', decode_head=SEG_HEAD, depth_head=depth_head, **kwargs
    )


def _samples(count=1, size=SIZE, **meta):
    samples = []
    for _ in range(count):
        sample = SegDataSample(metainfo={'img_shape': size, 'ori_shape': size, **meta})
        sample.gt_depth_map = PixelData(data=torch.rand(1, *size) * 8 + 1)
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 5, (1, *size)))
        samples.append(sample)
    return samples


@torch.no_grad()
def _depth(model, images, samples=None):
    samples = samples or _samples(len(images))
    return torch.stack([s.pred_depth_map.data for s in model.predict(images, samples)])


def _windows(model, images):
    """Average the windows of SLIDE, written out."""
    total, count = torch.zeros(len(images), 1, *SIZE), torch.zeros(SIZE)
    for y in (0, 5):
        for x in (0, 7, 9):
            window = images[:, :, y : y + 13, x : x + 13]
            total[:, :, y : y + 13, x : x + 13] += model(window)[:, :, :13, :13]
            count[y : y + 13, x : x + 13] += 1
    assert count.min() == 1 and count.max() == 6
    return total / count


@torch.no_grad()
def test_slide_really_slides_and_averages_overlaps():
    model, images = _build(test_cfg=SLIDE), torch.randn(2, 3, *SIZE)
    expected = _windows(model, images)
    torch.testing.assert_close(_depth(model, images), expected)
    whole = model(images)[:, :, :18, :22]
    assert (expected - whole).abs().max() > 0.01  # the host would give this one
    model.test_cfg = WHOLE
    torch.testing.assert_close(_depth(model, images), whole)


@torch.no_grad()
@pytest.mark.parametrize('mode', ['whole', 'slide'])
def test_flip_modes_average_with_the_mirrored_image(mode):
    model, images = _build(test_cfg={**SLIDE, 'mode': mode}), torch.randn(2, 3, *SIZE)
    one, mirrored = _depth(model, images), _depth(model, images.flip(3)).flip(3)
    model.test_cfg = ConfigDict({**SLIDE, 'mode': f'{mode}_flip'})
    flipped = _depth(model, images)
    torch.testing.assert_close(flipped, (one + mirrored) / 2)
    assert (flipped - one).abs().max() > 0.01
    torch.testing.assert_close(_depth(model, images.flip(3)), flipped.flip(3))


@pytest.mark.parametrize('mode', ['whole', 'slide', 'whole_flip', 'slide_flip'])
@pytest.mark.parametrize('size', [(4, 4), (7, 31), (40, 16)])
@pytest.mark.parametrize('build', [_build, _joint])
def test_any_size_comes_back_at_the_original_size(build, size, mode):
    model = build(test_cfg={**SLIDE, 'mode': mode})
    (sample,) = _samples(size=size, ori_shape=(33, 57))
    with torch.no_grad():
        (sample,) = model.predict(torch.randn(1, 3, *size), [sample])
        (bare,) = model.predict(torch.randn(1, 3, *size))
    depth = sample.pred_depth_map.data
    assert depth.shape == (1, 33, 57) and 1e-3 <= depth.min() < depth.max() <= 10
    assert bare.pred_depth_map.data.shape == (1, *size)
    if build is _joint:
        assert sample.pred_sem_seg.data.shape == (1, 33, 57)
        assert bare.pred_sem_seg.data.shape == (1, *size)


def test_padding_of_a_test_batch_is_cut_off():
    model, images = _build(), torch.rand(1, 3, *SIZE) * 255
    plain = model.test_step(dict(inputs=list(images), data_samples=_samples()))
    model.data_preprocessor.test_cfg = dict(size=(24, 32))
    padded = model.test_step(dict(inputs=list(images), data_samples=_samples()))
    one, other = (x[0].pred_depth_map.data for x in (plain, padded))
    assert one.shape == other.shape == (1, *SIZE)
    # away from the border the padding is not seen: kernel 3, three layers, patch 4
    torch.testing.assert_close(one[:, :4, :8], other[:, :4, :8])


@pytest.mark.parametrize('build', [_build, _joint])
def test_what_batching_pads_is_invalid_not_255_metres(build):
    wide = {**DEPTH_HEAD, 'max_depth': 300.0}  # 255 m would be valid
    model = build(**{'decode_head' if build is _build else 'depth_head': wide})
    samples = _samples(1, (18, 22)) + _samples(1, (13, 30))
    inputs = [torch.rand(3, *sample.img_shape) * 255 for sample in samples]
    truths = [sample.gt_depth_map.data.clone() for sample in samples]
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), training=True)
    assert data['inputs'].shape == (2, 3, 24, 32)
    losses = model.loss(**data)
    maps = model(data['inputs'])
    maps = maps if build is _build else maps[1]
    expected = torch.stack(
        [F.l1_loss(m[:, : t.shape[1], : t.shape[2]], t) for m, t in zip(maps, truths)]
    ).mean()
    name = 'decode.loss_l1' if build is _build else 'depth.loss_l1'
    torch.testing.assert_close(losses[name], expected)


def test_auxiliary_heads_are_trained():
    aux = [
        dict(DEPTH_HEAD, in_index=0, loss_decode=dict(**L1, loss_weight=0.4)),
        dict(DEPTH_HEAD, in_index=1, loss_decode=dict(type='sacm_mm.SiLogLoss')),
    ]
    model = _build(auxiliary_head=aux)
    losses = model.loss(torch.randn(2, 3, *SIZE), _samples(2))
    names = {'decode.loss_l1', 'aux_0.loss_l1', 'aux_1.loss_silog', 'decode.images_without_depth'}
    assert names <= set(losses)
    total, log = model.parse_losses(losses)
    assert total == losses['decode.loss_l1'] + losses['aux_0.loss_l1'] + losses['aux_1.loss_silog']
    assert log['decode.images_without_depth'] == 0
    total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert _depth(model, torch.randn(2, 3, *SIZE)).shape == (2, 1, *SIZE)


def test_uncertainty_comes_with_the_prediction():
    model = _build(test_cfg={**SLIDE, 'mode': 'slide_flip'},
                   decode_head=dict(DEPTH_HEAD, uncertainty='laplace'))  # fmt: skip
    with torch.no_grad():
        (sample,) = model.predict(torch.randn(1, 3, *SIZE), _samples(ori_shape=(36, 44)))
    assert sample.pred_depth_map.data.shape == sample.pred_depth_scale.data.shape == (1, 36, 44)
    assert sample.pred_depth_scale.data.min() > 0
    assert 'decode.loss_nll' in model.loss(torch.randn(1, 3, *SIZE), _samples())


def test_mistakes_are_named():
    model = _build(test_cfg=dict(mode='flip'))
    with pytest.raises(UserError, match="'flip': choose from whole, slide, whole_flip, slide_flip"):
        _depth(model, torch.randn(1, 3, *SIZE))
    (sample,) = _samples()
    del sample.gt_depth_map
    with pytest.raises(UserError, match="no 'gt_depth_map'"):
        model.loss(torch.randn(1, 3, *SIZE), [sample])


@pytest.fixture
def joint_and_single():
    """The joint model, and the two single-task models with the same weights."""

    def build(test_cfg=WHOLE):
        joint = _joint(test_cfg=test_cfg)
        segmentor = _build('EncoderDecoder', test_cfg, decode_head=SEG_HEAD)
        estimator = _build(test_cfg=test_cfg)
        weights = joint.state_dict()
        segmentor.load_state_dict(weights, strict=False)
        depth = {key.replace('depth_head', 'decode_head'): value for key, value in weights.items()
                 if not key.startswith('decode_head')}  # fmt: skip
        estimator.load_state_dict(depth)
        return joint, segmentor, estimator

    return build


@pytest.mark.parametrize('test_cfg', [WHOLE, SLIDE], ids=lambda test_cfg: test_cfg['mode'])
def test_the_joint_model_is_both_single_ones(joint_and_single, test_cfg):
    models = joint_and_single(test_cfg)
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        joint, segmented, estimated = (m.predict(images, _samples(2, ori_shape=(36, 44)))
                                       for m in models)  # fmt: skip
    for both, seg, depth in zip(joint, segmented, estimated):
        torch.testing.assert_close(both.seg_logits.data, seg.seg_logits.data)
        assert torch.equal(both.pred_sem_seg.data, seg.pred_sem_seg.data)
        torch.testing.assert_close(both.pred_depth_map.data, depth.pred_depth_map.data)
    samples = _samples(2)
    losses, seg, depth = (m.loss(images, copy.deepcopy(samples)) for m in models)
    assert losses['decode.loss_ce'] == seg['decode.loss_ce']
    assert losses['depth.loss_l1'] == depth['decode.loss_l1']


def test_the_joint_model_runs_its_backbone_once(joint_and_single):
    joint, *_ = joint_and_single()
    calls = []
    joint.backbone.register_forward_hook(lambda *_: calls.append(1))
    joint.predict(torch.randn(2, 3, *SIZE), _samples(2))
    joint.loss(torch.randn(2, 3, *SIZE), _samples(2))
    assert len(calls) == 2


def test_the_joint_model_trains_both_heads_and_takes_auxiliary_ones():
    aux = [dict(SEG_HEAD, in_index=0), dict(DEPTH_HEAD, in_index=0)]
    model = _joint(auxiliary_head=aux)
    losses = model.loss(torch.randn(2, 3, *SIZE), _samples(2))
    assert {'decode.loss_ce', 'depth.loss_l1', 'aux_0.loss_ce', 'aux_1.loss_l1'} <= set(losses)
    model.parse_losses(losses)[0].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_both_tasks_are_evaluated_together():
    evaluator = Evaluator(
        [
            dict(type='IoUMetric', iou_metrics=['mIoU']),
            dict(type='sacm_mm.DepthMetric', protocol='full'),
        ]
    )
    evaluator.dataset_meta = dict(classes=tuple('abcde'))
    with torch.no_grad():
        samples = _joint().predict(torch.randn(2, 3, *SIZE), _samples(2))
    evaluator.process(samples)
    results = evaluator.evaluate(2)
    assert {'mIoU', 'full/abs_rel', 'full/a1'} <= set(results)


@pytest.mark.parametrize('build', [_build, _joint])
def test_views_of_the_pipeline_are_averaged(build):
    """Two views through the pipeline, the second mirrored, are the flip mode."""
    plain = build(test_cfg=dict(mode='whole_flip'))
    tta = MODELS.build(ConfigDict(type='sacm_mm.DenseTTAModel', module=plain))
    image = torch.randint(0, 255, (3, *SIZE)).float()
    expected = plain.test_step(dict(inputs=[image], data_samples=_samples()))[0]
    plain.test_cfg = WHOLE
    mirror = dict(flip=True, flip_direction='horizontal', img_path='image.png')
    views = [_samples(img_path='image.png'), _samples(**mirror)]
    (merged,) = tta.test_step(
        dict(inputs=[[image], [image.flip(2)]], data_samples=copy.deepcopy(views))
    )
    torch.testing.assert_close(merged.pred_depth_map.data, expected.pred_depth_map.data)
    assert torch.equal(merged.gt_depth_map.data, views[0][0].gt_depth_map.data)
    assert ('pred_sem_seg' in merged) == (build is _joint)


@pytest.mark.parametrize(
    'options',
    [
        dict(bound='sigmoid'),
        dict(bound='log', loss_decode=dict(type='sacm_mm.SiLogLoss')),
        dict(bound='log', uncertainty='laplace', loss_decode=[]),
        dict(bound=None, loss_decode=dict(type='sacm_mm.BerHuLoss')),
    ],
)
def test_depth_is_learned_by_heart(options):
    """A wall that recedes to the right, behind a box."""
    model = _build(decode_head={**DEPTH_HEAD, **options}).train()
    torch.nn.init.normal_(model.decode_head.conv_seg.weight, std=0.01)
    depth = torch.linspace(2, 6, 32).repeat(24, 1)
    depth[8:20, 8:16] = 1.5
    (sample,) = _samples(size=(24, 32))
    sample.gt_depth_map.data = depth[None]
    image = torch.stack([depth, 1 / depth, depth.sin()])[None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(90):
        loss, _ = model.parse_losses(model.loss(image, [sample]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    error = (model(image).detach()[:, :1] - depth).abs() / depth
    assert error.mean() < 0.05


def test_maps_that_do_not_fit_the_depth_head_are_named_before_the_run():
    model = _joint(depth_head={**DEPTH_HEAD, 'in_channels': 16})
    with pytest.raises(UserError, match=r'depth_head has in_channels=16, .* have 8 channels'):
        check_heads(model)
