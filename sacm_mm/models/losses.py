"""Losses of metric depth.

Each takes predicted and true depth (N, 1, H, W) in metres; truth that is 0, negative or not finite
is invalid and has no influence on the value or its gradient. A loss is the mean over images of each
image's own loss; images without valid truth are left out, and a batch without any gives 0. Each is
multiplied by its ``loss_weight``; a list of them in a head's ``loss_decode`` is added up.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sacm_mm.registry import MODELS

_NEAREST = 1e-3  # metres; an unbounded prediction may be less, and has no logarithm


class DepthLoss(nn.Module):
    """A loss of metric depth; see the module.

    Args:
        loss_weight: Factor of this loss.
    """

    loss_name: str

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare depths (N, 1, H, W) -> a scalar."""
        return self.loss_weight * self.compare(*_masked(pred, target))

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compare depths that are 1 m where they are not valid."""
        raise NotImplementedError


@MODELS.register_module()
class SiLogLoss(DepthLoss):
    """Scale-invariant logarithmic error.

    With ``d = log(pred) - log(target)``: ``sqrt(mean(d^2) - lambd * mean(d)^2)``, an image.

    Source: Eigen et al. 2014 (without the root, lambda 0.5); with the root and lambda 0.85, Lee et
    al. 2019 (there times 10).

    Args:
        lambd: Share of the common scale that is forgiven: 0 none, 1 all of it.
        loss_weight: Factor of this loss.
    """

    loss_name = 'loss_silog'

    def __init__(self, lambd: float = 0.85, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.lambd = lambd

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        d = _log(pred) - _log(target)  # 0 where not valid
        mean = _means(d, valid)
        variance = _means((d - mean[:, None, None, None]).square(), valid)
        square = variance + (1 - self.lambd) * mean.square()
        # At 0 the root has no slope. Away from it that of the error is bounded.
        nonzero = ~(square <= 0)  # nan stays nan
        error = torch.where(nonzero, torch.where(nonzero, square, 1).sqrt(), 0)
        return _mean_of_images(error, valid)


@MODELS.register_module()
class DepthL1Loss(DepthLoss):
    """Absolute error in metres."""

    loss_name = 'loss_l1'

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        return _mean_of_images(_means((pred - target).abs(), valid), valid)


@MODELS.register_module()
class BerHuLoss(DepthLoss):
    """Reversed Huber error: ``|e|`` up to c, ``(e^2 + c^2) / (2 c)`` beyond it.

    Source: Laina et al. 2016; c is a fifth of the largest error, here of each image.

    Args:
        threshold: c as a share of the largest error.
        loss_weight: Factor of this loss.
    """

    loss_name = 'loss_berhu'

    def __init__(self, threshold: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.threshold = threshold

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        e = (pred - target).abs()
        # A constant: its gradient would enlarge the largest error to make the others' share less.
        c = self.threshold * e.detach().amax((1, 2, 3), keepdim=True)
        c = c.clamp(min=torch.finfo(c.dtype).tiny ** 0.5)
        values = torch.where(e <= c, e, (e.square() + c.square()) / (2 * c))
        return _mean_of_images(_means(values, valid), valid)


@MODELS.register_module()
class DepthGradientLoss(DepthLoss):
    """Difference of the gradients of log depth, at several scales.

    With ``d = log(pred) - log(target)``: the mean of ``|d_i - d_j|`` over neighbours i, j that are
    both valid, horizontal and vertical; summed over every pixel, every second, every fourth, ...

    Source: Li and Snavely 2018 (MegaDepth), there divided by the pixels instead of the pairs.

    Args:
        scales: How many scales.
        loss_weight: Factor of this loss.
    """

    loss_name = 'loss_gradient'

    def __init__(self, scales: int = 4, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.scales = scales

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        d = _log(pred) - _log(target)
        total = d.new_zeros(len(d))
        for step in (2**scale for scale in range(self.scales)):
            coarse, known = d[..., ::step, ::step], valid[..., ::step, ::step]
            steps = [coarse.diff(dim=dim).abs().flatten(1) for dim in (2, 3)]
            pairs = [
                (known[..., 1:, :] & known[..., :-1, :]).flatten(1),
                (known[..., 1:] & known[..., :-1]).flatten(1),
            ]
            total = total + _means(torch.cat(steps, 1), torch.cat(pairs, 1))
        return _mean_of_images(total, valid)


@MODELS.register_module()
class DepthSSIMLoss(DepthLoss):
    """Structural dissimilarity, ``(1 - SSIM) / 2``.

    The mean over the windows in which every pixel is valid, with equal weights in a window. Sparse
    truth such as lidar has no such window, and this loss is 0 for it.

    Source: Wang et al. 2004, with its constants ``(0.01 L)^2`` and ``(0.03 L)^2``.

    Args:
        data_range: L, the largest depth in metres.
        window: Side of the windows in pixels.
        loss_weight: Factor of this loss.
    """

    loss_name = 'loss_ssim'

    def __init__(self, data_range: float, window: int = 7, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.window = window
        self.c1, self.c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def compare(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        if min(pred.shape[2:]) < self.window:
            return 0 * pred.sum()
        whole = -F.max_pool2d(-valid.to(pred.dtype), self.window, stride=1) == 1
        mean_p, mean_t = self._means(pred), self._means(target)
        variances = self._means(pred * pred + target * target) - mean_p**2 - mean_t**2
        covariance = self._means(pred * target) - mean_p * mean_t
        ssim = (2 * mean_p * mean_t + self.c1) * (2 * covariance + self.c2)
        ssim = ssim / ((mean_p**2 + mean_t**2 + self.c1) * (variances + self.c2))
        return _mean_of_images(_means((1 - ssim) / 2, whole), whole)

    def _means(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.window, stride=1)


def laplace_nll(pred: Tensor, log_scale: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of depths (N, 1, H, W) under a Laplace distribution of scale b.

    ``|pred - target| / b + log(2 b)`` with ``b = exp(log_scale)``.
    """
    pred, target, valid = _masked(pred, target)
    values = (pred - target).abs() * (-log_scale).exp() + log_scale + math.log(2)
    return _mean_of_images(_means(values, valid), valid)


def gaussian_nll(pred: Tensor, log_scale: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of depths (N, 1, H, W) under a normal distribution.

    ``((pred - target) / sigma)^2 / 2 + log(sigma) + log(2 pi) / 2``, ``sigma = exp(log_scale)``.
    """
    pred, target, valid = _masked(pred, target)
    squares = ((pred - target) * (-log_scale).exp()).square()
    values = squares / 2 + log_scale + math.log(2 * math.pi) / 2
    return _mean_of_images(_means(values, valid), valid)


LIKELIHOODS: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {'laplace': laplace_nll, 'gaussian': gaussian_nll}
)


def _masked(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Set both depths to 1 m where the truth is not valid.

    Masking the result would not do: 0 times an infinite slope is not 0.
    """
    valid = target.isfinite() & (target > 0)
    return torch.where(valid, pred, 1), torch.where(valid, target, 1), valid


def _log(depth: Tensor) -> Tensor:
    return depth.clamp(min=_NEAREST).log()


def _means(values: Tensor, valid: Tensor) -> Tensor:
    """Average each image's valid values -> (N,); 0 without any."""
    values, valid = values.flatten(1), valid.flatten(1)
    return torch.where(valid, values, 0).sum(1) / valid.sum(1).clamp(min=1)


def _mean_of_images(values: Tensor, valid: Tensor) -> Tensor:
    """Average (N,) over the images that have anything valid; 0 without any."""
    known = valid.flatten(1).any(1)
    return torch.where(known, values, 0).sum() / known.sum().clamp(min=1)
