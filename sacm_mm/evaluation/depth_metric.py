"""Figures of metric depth under the protocols of the field, by name."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.evaluation.depth_edges import EDGE_FIGURES, depth_edges, edge_errors
from sacm_mm.registry import METRICS

FIGURES = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'log10', 'silog', 'a1', 'a2', 'a3')
_NEAREST = 1e-3  # metres


@dataclass(frozen=True)
class Protocol:
    """Which pixels count, and how predictions are treated.

    Attributes:
        max_depth: Truth counts between 1 mm and this, in metres.
        crop: Top, bottom, left and right of what counts, as shares of the map.
        clamp: Clamp predictions to that range.
    """

    max_depth: float
    crop: tuple[float, float, float, float] = (0, 1, 0, 1)
    clamp: bool = True


PROTOCOLS = {
    # Eigen et al. 2014: rows 45:471 and columns 41:601 of 480x640
    'nyu_eigen': Protocol(10, (45 / 480, 471 / 480, 41 / 640, 601 / 640)),
    # Garg et al. 2016
    'kitti_garg': Protocol(80, (0.40810811, 0.99189189, 0.03594771, 0.96405229)),
    # Eigen et al. 2014, as the code of Godard et al. 2017 has it
    'kitti_eigen': Protocol(80, (0.3324324, 0.91351351, 0.0359477, 0.96405229)),
    'cityscapes': Protocol(80),
    'full': Protocol(math.inf),
    # the SA-ConvMixer authors': no crop, no clamping
    'authors': Protocol(math.inf, clamp=False),
}


@METRICS.register_module()
class DepthMetric(BaseMetric):
    """Errors and accuracies of depth in metres, the mean over images of each image's figures.

    With prediction p, truth t and ``d = log(p) - log(t)``, over the pixels that count:
    ``abs_rel`` mean(|p - t| / t), ``sq_rel`` mean((p - t)^2 / t), ``rmse`` sqrt(mean((p - t)^2)),
    ``rmse_log`` sqrt(mean(d^2)), ``log10`` mean(|d|) / ln 10, ``silog`` as KITTI defines it,
    100 * sqrt(mean(d^2) - mean(d)^2), and ``a1``, ``a2``, ``a3`` the share of pixels with
    max(p / t, t / p) < 1.25, 1.25^2, 1.25^3.

    Truth that is 0, not finite or out of the protocol's range does not count. Images in which
    nothing counts are left out and counted in ``images_without_depth``; when there are no others
    it is the only result. Results are named ``<protocol>/<figure>``.

    Source: Eigen et al. 2014 and the protocols' authors, see ``PROTOCOLS``; crops are shares of the
    map, so that they apply at any size. ``'full'`` counts every valid pixel. ``'authors'`` is the
    same without clamping; there a prediction below 1 mm has no logarithm and counts as 1 mm in the
    figures that need one.

    Args:
        protocol: ``'nyu_eigen'``, ``'kitti_garg'``, ``'kitti_eigen'``, ``'cityscapes'``, ``'full'``
            or ``'authors'``.
        median_scaling: Multiply each prediction by median(t) / median(p) first, for models that
            know depth up to scale; the results are named ``<protocol>_median_scaled/<figure>``.
        edges: Report ``edge_acc`` and ``edge_comp`` too, in pixels of the map: how far the edges
            of a prediction lie from the true ones, see ``edge_errors``. Images without true edges
            do not count in them.
        **kwargs: ``mmengine.BaseMetric``'s.

    Raises:
        UserError: The protocol is unknown; or, in ``process``, a sample has no truth or one of
            another size.
    """

    def __init__(
        self, protocol: str, median_scaling: bool = False, edges: bool = False, **kwargs
    ) -> None:
        if protocol not in PROTOCOLS:
            raise UserError(f"unknown protocol '{protocol}': choose from {', '.join(PROTOCOLS)}")
        self.name = f'{protocol}_median_scaled' if median_scaling else protocol
        self.default_prefix = self.name
        super().__init__(**kwargs)
        self.protocol = PROTOCOLS[protocol]
        self.median_scaling = median_scaling
        self.edges = edges

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the figures of each image; one without valid depth has none."""
        for sample in data_samples:
            if 'gt_depth_map' not in sample:
                raise UserError("no 'gt_depth_map' to score: load the depth in the test_pipeline")
            pred, truth = (
                sample[f'{kind}_depth_map']['data'].squeeze(0) for kind in ('pred', 'gt')
            )
            if pred.shape != truth.shape:
                raise UserError(
                    f'depth is {_size(truth)} pixels, but its prediction is {_size(pred)}: load '
                    'the depth after the resize in the test_pipeline'
                )
            self.results.append(self._figures(pred.double(), truth.to(pred.device).double()))

    def _figures(self, pred: Tensor, truth: Tensor) -> list[float]:
        """Score one image (H, W), in metres."""
        (h, w), protocol = truth.shape, self.protocol
        top, bottom, left, right = (
            int(share * size) for share, size in zip(protocol.crop, (h, h, w, w))
        )
        pred, truth = pred[top:bottom, left:right], truth[top:bottom, left:right]
        counts = truth.isfinite() & (truth > _NEAREST) & (truth < protocol.max_depth)
        if not counts.any():
            return []  # not None, which mmengine drops when it collects from processes
        edges = self._edge_figures(pred, truth, counts) if self.edges else []
        pred, truth = pred[counts], truth[counts]
        if self.median_scaling:
            # torch.quantile takes 16 million pixels at most
            pred = pred * float(np.median(truth.cpu().numpy()) / np.median(pred.cpu().numpy()))
        if protocol.clamp:
            pred = pred.clamp(_NEAREST, protocol.max_depth)
        return depth_figures(pred, truth) + edges

    def _edge_figures(self, pred: Tensor, truth: Tensor, counts: Tensor) -> list[float]:
        """Score the edges of a map (H, W); NaN, NaN where the truth has none."""
        if self.protocol.clamp:
            pred = pred.clamp(_NEAREST, self.protocol.max_depth)
        known = counts.cpu().numpy()
        true = depth_edges(truth.cpu().numpy(), known)
        found = depth_edges(pred.cpu().numpy()) & known
        return list(edge_errors(found, true) or (math.nan, math.nan))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Average the images' figures."""
        scored = [figures for figures in results if figures]
        skipped = len(results) - len(scored)
        crop = 'no crop' if self.protocol.crop == (0, 1, 0, 1) else 'its crop'
        print_log(
            f'depth by protocol {self.name}: {len(scored)} images, {skipped} without valid '
            f'depth; {_NEAREST} m < depth < {self.protocol.max_depth} m, {crop}, predictions '
            f'{"" if self.protocol.clamp else "not "}clamped',
            logger=MMLogger.get_current_instance(),
        )
        columns = list(zip(*scored))
        means = {name: math.fsum(column) / len(scored) for name, column in zip(FIGURES, columns)}
        for name, column in zip(EDGE_FIGURES, columns[len(FIGURES) :]):  # with ``edges``
            known = [value for value in column if not math.isnan(value)]
            if known:
                means[name] = math.fsum(known) / len(known)
        # a float: the host's JSON of a test has null for whole numbers
        return {**means, 'images_without_depth': float(skipped)}


def depth_figures(pred: Tensor, truth: Tensor) -> list[float]:
    """Compute ``FIGURES`` from valid depths (K,) in metres; see ``DepthMetric``."""
    error = pred - truth
    positive = pred.clamp(min=_NEAREST)
    d = positive.log() - truth.log()
    ratio = d.abs().exp()
    figures = [
        (error.abs() / truth).mean(),
        (error.square() / truth).mean(),
        error.square().mean().sqrt(),
        d.square().mean().sqrt(),
        d.abs().mean() / math.log(10),
        100 * d.var(correction=0).sqrt(),
        *((ratio < 1.25**n).double().mean() for n in (1, 2, 3)),
    ]
    return torch.stack(figures).tolist()


def _size(depth: Tensor) -> str:
    return 'x'.join(map(str, reversed(depth.shape)))
