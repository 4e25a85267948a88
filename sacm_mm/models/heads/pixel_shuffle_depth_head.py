"""The depth head of SA-ConvMixer: metric depth, bounded by construction."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.models.heads.pixel_shuffle_base import PixelShuffleBase
from sacm_mm.models.losses import LIKELIHOODS
from sacm_mm.registry import MODELS

_BOUNDS = ('sigmoid', 'log', None)
_LOG_SCALES = (-5.0, 5.0)  # 7 mm to 148 m
_SILOG = MappingProxyType({'type': 'sacm_mm.SiLogLoss'})


@MODELS.register_module()
class PixelShuffleDepthHead(PixelShuffleBase):
    """Predict the depth of r x r pixels from every token.

    Maps (N, C_i, h, w) -> (N, 1, h * r, w * r), metres; with ``uncertainty`` a second channel holds
    the logarithm of the likelihood's scale in metres.

    Source: section 3.3. The authors put no activation after the shuffle (``bound=None``); the
    bounds, the losses and the uncertainty are ours.

    Args:
        in_channels: Channels of the map, or of each map in ``in_index``.
        upscale_factor: Factor r of the pixel shuffle, the backbone's patch size.
        min_depth: Lower bound in metres; truth below it is invalid.
        max_depth: Upper bound in metres; truth above it is invalid.
        bound: ``'sigmoid'`` divides the range evenly, ``'log'`` its logarithm, finer when near;
            training starts at the middle of the range with both. None leaves the output as it is,
            as converted weights need; below 1 mm that has no gradient under losses of log depth:
            train it with another.
        uncertainty: ``'laplace'`` or ``'gaussian'`` predicts the scale (b, or sigma) too and adds
            the negative log likelihood to the losses, as ``loss_nll``.
        loss_decode: One loss or several of ``sacm_mm.models.losses``; with ``uncertainty`` it may
            be an empty list.
        **kwargs: ``PixelShuffleBase``'s.

    Raises:
        UserError: A bound or likelihood is unknown, or the depths are not 0 < min < max.
    """

    def __init__(
        self,
        in_channels: int | Sequence[int],
        upscale_factor: int,
        min_depth: float = 1e-3,
        max_depth: float = 10.0,
        bound: str | None = 'sigmoid',
        uncertainty: str | None = None,
        loss_decode: Mapping | Sequence[Mapping] = _SILOG,
        **kwargs,
    ) -> None:
        _check_choice('bound', bound, _BOUNDS)
        _check_choice('uncertainty', uncertainty, (*LIKELIHOODS, None))
        if not 0 < min_depth < max_depth < math.inf:
            raise UserError(
                f'depths must be 0 < min_depth < max_depth, finite, but got {min_depth} and '
                f'{max_depth} m'
            )
        channels = 2 if uncertainty else 1
        super().__init__(
            in_channels,
            upscale_factor,
            num_classes=channels,
            out_channels=channels,  # both are said, or the host warns of binary segmentation
            threshold=0.0,
            loss_decode=dict(loss_decode) if isinstance(loss_decode, Mapping) else loss_decode,
            **kwargs,
        )
        self.min_depth = min_depth
        self.max_depth = max_depth
        self.bound = bound
        self.uncertainty = uncertainty

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        x = super().forward(inputs)
        # 16 bits would round depth to centimetres
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.uncertainty is None:
            return self._bounded(x)
        return torch.cat([self._bounded(x[:, :1]), x[:, 1:].clamp(*_LOG_SCALES)], dim=1)

    def _bounded(self, x: Tensor) -> Tensor:
        if self.bound is None:
            return x
        if self.bound == 'sigmoid':
            depth = self.min_depth + (self.max_depth - self.min_depth) * x.sigmoid()
        else:
            span = math.log(self.max_depth / self.min_depth)
            # Without it training would start at their geometric mean, which is next to nothing.
            middle = math.log((self.min_depth + self.max_depth) / (2 * self.min_depth)) / span
            share = (x + math.log(middle / (1 - middle))).sigmoid()
            depth = self.min_depth * (share * span).exp()
        return depth.clamp(self.min_depth, self.max_depth)  # only rounding is left to clamp

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: list) -> dict:
        """Compute the losses on maps cropped to the truth (N, 1, H, W), metres.

        Truth that is 0, not finite or out of the bounds is invalid; images without valid truth are
        left out and counted in ``images_without_depth``.
        """
        truth = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples])
        maps = self.at_size(seg_logits, truth.shape[-2:])
        valid = (truth >= self.min_depth) & (truth <= self.max_depth)  # false for NaN
        truth = torch.where(valid, truth, 0)
        losses = self._sum_losses(lambda loss: loss(maps[:, :1], truth))
        if self.uncertainty is not None:
            losses['loss_nll'] = LIKELIHOODS[self.uncertainty](maps[:, :1], maps[:, 1:], truth)
        losses['images_without_depth'] = (~valid.flatten(1).any(1)).sum().float()
        return losses

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Crop to the network's input -> (N, 1 or 2, H, W): depth and scale, both in metres."""
        maps = super().predict_by_feat(seg_logits, batch_img_metas)
        if self.uncertainty is None:
            return maps
        return torch.cat([maps[:, :1], maps[:, 1:].exp()], dim=1)


def _check_choice(name: str, value: str | None, choices: Sequence[str | None]) -> None:
    if value not in choices:
        raise UserError(f'unknown {name} {value!r}: choose from {", ".join(map(repr, choices))}')
