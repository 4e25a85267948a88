import warnings

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sacm_mm import PixelShuffleDepthHead, PixelShuffleHead, UserError
from sacm_mm.models.losses import BerHuLoss

L1 = dict(type='sacm_mm.DepthL1Loss')
NAN, INF = float('nan'), float('inf')


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmseg')


def _head(**kwargs):
    torch.manual_seed(0)
    return PixelShuffleDepthHead(**{'in_channels': 8, 'upscale_factor': 4, **kwargs})


def _samples(depths):
    samples = []
    for depth in depths:
        sample = SegDataSample(metainfo=dict(img_shape=depth.shape, ori_shape=depth.shape))
        sample.gt_depth_map = PixelData(data=depth[None])
        samples.append(sample)
    return samples


@pytest.mark.parametrize('bound', ['sigmoid', 'log'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_depth_is_bounded_by_construction(bound, dtype):
    head = _head(bound=bound, min_depth=0.5, max_depth=80).to(dtype)
    torch.nn.init.normal_(head.conv_seg.weight, std=100)
    features = torch.randn(1, 8, 16, 16, dtype=dtype) * 1e3
    depth = head([features])
    assert depth.shape == (1, 1, 64, 64)
    assert 0.5 <= depth.min() < 0.5001 and 79.999 < depth.max() <= 80
    for parameter in head.conv_seg.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(head([features]), torch.full_like(depth, 40.25))  # the middle


def test_the_log_bound_divides_the_logarithm():
    head = _head(in_channels=16, bound='log', min_depth=0.5, max_depth=80)
    torch.nn.init.dirac_(head.conv_seg.weight)
    torch.nn.init.zeros_(head.conv_seg.bias)
    shares = torch.rand(1, 16, 3, 3, dtype=torch.float64)
    middle = torch.tensor(80.5).log2() / torch.tensor(160.0).log2()
    depth = head.double()([shares.logit() - middle.double().logit()])
    torch.testing.assert_close(depth, 0.5 * 160 ** F.pixel_shuffle(shares, 4), rtol=1e-6, atol=0)


def test_the_bounds_are_monotonic_and_pass_gradients():
    logits = torch.linspace(-4, 4, 16)[None, :, None, None].requires_grad_()
    for bound in ('sigmoid', 'log'):
        head = _head(in_channels=16, bound=bound)
        torch.nn.init.dirac_(head.conv_seg.weight)
        depth = head([logits]).flatten()
        assert (depth.diff() > 0).all()
        (grad,) = torch.autograd.grad(depth.log().sum(), logits)
        assert (grad > 0).all()


def test_the_authors_variant_is_not_bounded():
    head = _head(bound=None, act_norm=True, norm_cfg=dict(type='BN', eps=1e-3)).eval()
    torch.nn.init.constant_(head.act_norm[1].bias, -1)
    x = 1e3 * torch.randn(1, 8, 3, 3)
    expected = F.pixel_shuffle(head.act_norm[1](F.gelu(head.conv_seg(x))), 4)
    assert torch.equal(head([x]), expected) and expected.min() < 0 and expected.max() > 10


def test_weights_are_named_as_in_the_segmentation_head():
    options = dict(in_channels=8, upscale_factor=4, act_norm=True)
    depth, segmentation = (
        PixelShuffleDepthHead(**options),
        PixelShuffleHead(num_classes=3, **options),
    )
    assert list(depth.state_dict()) == list(segmentation.state_dict())


@pytest.mark.parametrize('uncertainty', [None, 'laplace'])
def test_builds_without_the_hosts_warnings(uncertainty):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        _head(uncertainty=uncertainty)


def test_depth_keeps_its_precision_in_mixed_precision():
    with torch.autocast('cpu', torch.bfloat16):
        assert _head()([torch.randn(1, 8, 3, 3)]).dtype == torch.float32


def test_padding_is_cropped_not_resized():
    head = _head(loss_decode=L1)
    depth = head([torch.randn(2, 8, 3, 4)])  # 12x16 pixels: 2 rows and 3 columns of padding
    cropped = depth[:, :, :10, :13]
    truth = torch.rand(2, 10, 13) * 9 + 0.5
    losses = head.loss_by_feat(depth, _samples(truth))
    torch.testing.assert_close(losses['loss_l1'], F.l1_loss(cropped, truth[:, None]))
    assert torch.equal(head.predict_by_feat(depth, [dict(img_shape=(10, 13))]), cropped)


def test_coarser_backbones_are_interpolated():
    head = _head()
    depth = head([torch.randn(1, 8, 2, 2)])
    out = head.predict_by_feat(depth, [dict(img_shape=(32, 32))])
    torch.testing.assert_close(out, F.interpolate(depth, (32, 32), mode='bilinear'))
    assert head.loss_by_feat(depth, _samples(torch.ones(1, 32, 32)))['loss_silog'].isfinite()


def test_truth_out_of_the_bounds_or_not_finite_is_invalid():
    head = _head(loss_decode=L1, min_depth=0.5, max_depth=10)
    truth = torch.tensor([[0.5, 10, 0, 0.4], [10.1, NAN, INF, -2]])
    losses = head.loss_by_feat(torch.full((1, 1, 4, 4), 4.0)[..., :2, :], _samples(truth[None]))
    assert losses['loss_l1'] == (3.5 + 6) / 2
    assert losses['images_without_depth'] == 0


def test_images_without_depth_are_skipped_and_counted():
    head = _head(loss_decode=[L1, dict(type='sacm_mm.SiLogLoss')], uncertainty='gaussian')
    features = [torch.randn(3, 8, 2, 2)]
    truth = torch.zeros(3, 8, 8)
    truth[1] = 2
    losses = head.loss(features, _samples(truth), None)
    alone = head.loss([features[0][1:2]], _samples(truth[1:2]), None)
    assert losses.pop('images_without_depth') == 2 and alone.pop('images_without_depth') == 0
    torch.testing.assert_close(losses, alone)

    losses = head.loss(features, _samples(torch.full((3, 8, 8), NAN)), None)
    assert losses.pop('images_without_depth') == 3
    sum(losses.values()).backward()
    assert all(value == 0 for value in losses.values())
    assert all((parameter.grad == 0).all() for parameter in head.parameters())


def test_losses_are_weighted_and_logged_by_name():
    berhu = dict(type='sacm_mm.BerHuLoss')
    head = _head(
        loss_decode=[
            dict(**L1, loss_weight=0.5),
            dict(type='sacm_mm.DepthSSIMLoss', data_range=10, loss_weight=0.1),
            dict(**berhu, loss_weight=2.0),
            dict(**berhu, loss_weight=1.0),
        ]
    )
    depth, truth = head([torch.randn(2, 8, 3, 3)]), torch.rand(2, 12, 12) * 9 + 0.5
    losses = head.loss_by_feat(depth, _samples(truth))
    assert set(losses) == {'loss_l1', 'loss_ssim', 'loss_berhu', 'images_without_depth'}
    torch.testing.assert_close(losses['loss_l1'], 0.5 * F.l1_loss(depth, truth[:, None]))
    torch.testing.assert_close(losses['loss_berhu'], 3 * BerHuLoss()(depth, truth[:, None]))


def test_the_hosts_loss_fits_too():
    head = _head(loss_decode=dict(type='SiLogLoss'))
    truth = torch.rand(2, 12, 12) * 9 + 0.5
    losses = head.loss([torch.randn(2, 8, 3, 3)], _samples(truth), None)
    assert losses['loss_silog'].isfinite()


@pytest.mark.parametrize(
    ('uncertainty', 'distribution'),
    [('laplace', torch.distributions.Laplace), ('gaussian', torch.distributions.Normal)],
)
def test_uncertainty_is_a_likelihood(uncertainty, distribution):
    head = _head(uncertainty=uncertainty, loss_decode=[])
    torch.nn.init.normal_(head.conv_seg.weight)
    maps = head([torch.randn(2, 8, 3, 3)])
    truth = torch.rand(2, 12, 12) * 9 + 0.5
    losses = head.loss_by_feat(maps, _samples(truth))
    depth, scale = head.predict_by_feat(maps, [dict(img_shape=(12, 12))]).split(1, dim=1)
    expected = -distribution(depth, scale).log_prob(truth[:, None]).mean()
    torch.testing.assert_close(losses['loss_nll'], expected)
    assert set(losses) == {'loss_nll', 'images_without_depth'}


def test_the_scale_stays_in_a_range_that_makes_sense():
    head = _head(uncertainty='laplace')
    maps = head([1e6 * torch.randn(1, 8, 8, 8)])
    scale = head.predict_by_feat(maps, [dict(img_shape=(32, 32))])[:, 1]
    assert 0.005 < scale.min() < 0.01 and 100 < scale.max() < 200


def test_every_parameter_gets_a_gradient():
    head = _head(uncertainty='laplace', act_norm=True, in_channels=[8, 8], in_index=[0, 1])
    truth = torch.rand(2, 12, 12) * 9 + 0.5
    losses = head.loss([torch.randn(2, 8, 3, 3)] * 2, _samples(truth), None)
    (losses['loss_silog'] + losses['loss_nll']).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(bound='linear'), r"unknown bound 'linear': choose from 'sigmoid', 'log', None"),
        (dict(uncertainty='beta'), r"unknown uncertainty 'beta': .*'laplace', 'gaussian', None"),
        (dict(min_depth=0), 'min_depth < max_depth, finite, but got 0 and 10'),
        (dict(min_depth=10), 'but got 10 and 10'),
        (dict(max_depth=INF), 'but got 0.001 and inf'),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        _head(**options)
