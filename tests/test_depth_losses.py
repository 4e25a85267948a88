"""Depth losses against figures worked out by hand and an independent numpy version."""

import math

import numpy as np
import pytest
import torch

from sacm_mm.models.losses import (
    BerHuLoss,
    DepthGradientLoss,
    DepthL1Loss,
    DepthSSIMLoss,
    SiLogLoss,
    gaussian_nll,
    laplace_nll,
)
from sacm_mm.registry import MODELS

NAN, INF = float('nan'), float('inf')
LOSSES = {
    'silog': SiLogLoss(),
    'silog, all scale forgiven': SiLogLoss(lambd=1.0),
    'l1': DepthL1Loss(),
    'berhu': BerHuLoss(),
    'gradient': DepthGradientLoss(),
    'ssim': DepthSSIMLoss(data_range=10, window=3),
    'laplace': lambda pred, truth: laplace_nll(pred, torch.zeros_like(pred), truth),
    'gaussian': lambda pred, truth: gaussian_nll(pred, torch.zeros_like(pred), truth),
}
each_loss = pytest.mark.parametrize('loss', LOSSES.values(), ids=LOSSES)


def image(*rows):
    return torch.tensor(rows, dtype=torch.float64)[None, None]


def maps(seed, size=(2, 1, 9, 11)):
    """Predictions and truth between 1 and 9 m; the truth has holes of every kind."""
    rng = np.random.default_rng(seed)
    pred, truth = (torch.from_numpy(rng.uniform(1, 9, size)) for _ in range(2))
    for row, hole in enumerate((0.0, NAN, INF, -INF, -1.0)):
        truth[0, 0, row, 2 * row % size[-1]] = hole
    return pred, truth


def check(value, expected):
    assert value.item() == pytest.approx(expected, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize('lambd', [0.0, 0.5, 0.85, 1.0])
def test_silog_by_hand(lambd):
    # d = 1, 3, -1: mean of squares 11 / 3, squared mean 1
    pred, truth = image([math.e, math.e**3, 2 / math.e, 99]), image([1, 1, 2, 0])
    check(SiLogLoss(lambd, loss_weight=10)(pred, truth), 10 * math.sqrt(11 / 3 - lambd))


def test_silog_forgives_the_scale_by_lambda():
    _, truth = maps(0)
    assert SiLogLoss(lambd=1.0)(3 * truth, truth) < 1e-7
    check(SiLogLoss(lambd=0.5)(3 * truth, truth), math.log(3) * math.sqrt(0.5))


def test_l1_by_hand():
    check(DepthL1Loss()(image([1, 5, 7]), image([2, 2, 0])), 2)


def test_berhu_by_hand():
    # the largest error is 5, so c = 1: 0.5 -> 0.5, 1 -> 1, 3 -> 5, 5 -> 13
    pred, truth = image([1.5, 3, 4, 6, 90]), image([1, 2, 1, 1, 0])
    check(BerHuLoss()(pred, truth), (0.5 + 1 + 5 + 13) / 4)


def test_berhu_and_l1_have_the_slopes_of_their_formulas():
    pred, truth = image([1.5, 0.2, 4, 6]).requires_grad_(), image([1, 1, 1, 1])
    BerHuLoss()(pred, truth).backward()
    torch.testing.assert_close(4 * pred.grad, image([1, -1, 3, 5]))  # sign(e), or e / c


def test_gradients_by_hand():
    # d = 0 1 3; 2 hole 3: pairs |0-1|, |1-3|, |0-2|, |3-3|; every second pixel: |0-3|
    d = image([0, 1, 3], [2, 0, 3])
    truth = image([1, 1, 1], [1, 0, 1])
    check(DepthGradientLoss(scales=1)(d.exp(), truth), (1 + 2 + 2 + 0) / 4)
    check(DepthGradientLoss(scales=2)(d.exp(), truth), 5 / 4 + 3)
    check(DepthGradientLoss(scales=4)(d.exp(), truth), 5 / 4 + 3)  # no more pairs


def test_ssim_by_hand():
    # one window of means 2 and 3, variances 1 and 4, covariance 2
    c1, c2 = 0.01, 0.09
    pred, truth = image([1, 3], [1, 3]), image([1, 5], [1, 5])
    ssim = (2 * 2 * 3 + c1) / (4 + 9 + c1) * (2 * 2 + c2) / (1 + 4 + c2)
    loss = DepthSSIMLoss(data_range=10, window=2)
    check(loss(pred, truth), (1 - ssim) / 2)
    # windows with a hole do not count
    wider = torch.cat([truth, torch.zeros_like(truth)], 3)
    check(loss(torch.cat([pred, pred], 3), wider), (1 - ssim) / 2)


def test_ssim_agrees_with_a_loop_in_numpy():
    pred, truth = maps(1)
    scores = []
    for p, t in zip(pred[:, 0].numpy(), truth[:, 0].numpy()):
        windows = [np.s_[y : y + 3, x : x + 3] for y in range(7) for x in range(9)]
        windows = [w for w in windows if np.all(np.isfinite(t[w]) & (t[w] > 0))]
        image_scores = []
        for a, b in ((p[w].ravel(), t[w].ravel()) for w in windows):
            (va, cov), (_, vb) = np.cov(a, b, bias=True)
            image_scores.append(
                (2 * a.mean() * b.mean() + 0.01)
                * (2 * cov + 0.09)
                / ((a.mean() ** 2 + b.mean() ** 2 + 0.01) * (va + vb + 0.09))
            )
        scores.append((1 - np.mean(image_scores)) / 2)
    assert len(windows) == 63
    check(LOSSES['ssim'](pred, truth), np.mean(scores))


def test_likelihoods_by_hand():
    pred, truth, log_scale = image([1, 4, 7]), image([3, 3, 0]), image([math.log(2), 0, 5])
    check(laplace_nll(pred, log_scale, truth), (1 + math.log(4) + 1 + math.log(2)) / 2)
    normal = [torch.distributions.Normal(1, 2).log_prob(torch.tensor(3.0)),
              torch.distributions.Normal(4, 1).log_prob(torch.tensor(3.0))]  # fmt: skip
    check(gaussian_nll(pred, log_scale, truth), -sum(normal).item() / 2)


@pytest.mark.parametrize('nll', [laplace_nll, gaussian_nll])
def test_likelihoods_are_best_at_the_true_scale(nll):
    """The scale that fits is the mean absolute, or the root mean square error."""
    pred, truth = image([1, 4, 9]), image([2, 2, 2])
    best = 10 / 3 if nll is laplace_nll else math.sqrt((1 + 4 + 49) / 3)
    log_scale = torch.full_like(pred, math.log(best)).requires_grad_()
    nll(pred, log_scale, truth).backward()
    assert abs(log_scale.grad.sum()) < 1e-12


@each_loss
def test_gradcheck(loss):
    pred, truth = maps(2, (2, 1, 5, 6))
    # berHu takes its threshold as a constant: let a pixel that is not varied set it
    largest, truth[:, 0, -1, -1] = torch.full_like(pred[..., -1:, -1:], 90), 1.0
    varied = pred.flatten(1)[:, :-1].requires_grad_()

    def value(varied):
        return loss(torch.cat([varied, largest.flatten(1)], 1).view_as(pred), truth)

    assert torch.autograd.gradcheck(value, varied)


@each_loss
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_the_gradient_is_finite_where_prediction_equals_truth(loss, dtype):
    _, truth = (x.to(dtype) for x in maps(3))
    pred = truth.nan_to_num(5, 5, 5).requires_grad_()
    value = loss(pred, truth)
    value.backward()
    assert value.isfinite() and pred.grad.isfinite().all()
    nearly = (pred.detach() * (1 + 1e-6)).requires_grad_()
    loss(nearly, truth).backward()
    assert nearly.grad.isfinite().all() and nearly.grad.abs().max() < 10


@each_loss
@pytest.mark.parametrize('wrong', [0.0, -3.0, 1e30, NAN, INF])
def test_invalid_pixels_have_no_influence(loss, wrong):
    pred, truth = maps(4)
    invalid = ~(truth.isfinite() & (truth > 0))
    assert invalid.sum() == 5
    grads, values = [], []
    for filled in (pred, torch.where(invalid, wrong, pred)):
        filled.requires_grad_()
        values.append(loss(filled, truth))
        grads.append(torch.autograd.grad(values[-1], filled)[0])
    assert torch.equal(*values) and torch.equal(*grads)
    assert (grads[0][invalid] == 0).all() and (grads[0] != 0).any()


@each_loss
def test_images_without_depth_are_left_out(loss):
    pred, truth = maps(5)
    alone = loss(pred[:1], truth[:1])
    truth[1] = 0
    torch.testing.assert_close(loss(pred, truth), alone)
    pred.requires_grad_()
    nothing = loss(pred, torch.zeros_like(truth))
    nothing.backward()
    assert nothing == 0 and (pred.grad == 0).all()


@each_loss
def test_predictions_without_a_logarithm_stay_finite(loss):
    pred, truth = maps(6)
    pred = (pred - 5).requires_grad_()
    value = loss(pred, truth)
    value.backward()
    assert value.isfinite() and pred.grad.isfinite().all()


def test_maps_smaller_than_the_ssim_window_and_one_pixel():
    pred = torch.full((1, 1, 1, 1), 2.0).requires_grad_()
    for loss in LOSSES.values():
        assert loss(pred, torch.full((1, 1, 1, 1), 3.0)).isfinite()


def test_losses_are_registered():
    loss = MODELS.build(dict(type='sacm_mm.BerHuLoss', loss_weight=0.5))
    check(loss(image([3]), image([1])), 0.5 * (4 + 0.16) / 0.8)
    assert loss.loss_name == 'loss_berhu'
