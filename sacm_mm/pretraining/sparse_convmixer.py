"""SA-ConvMixer that computes visible tokens as if the masked ones were not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmpretrain.models.utils.sparse_modules import SparseBatchNorm2d
from torch import nn

from sacm_mm.core.errors import UserError
from sacm_mm.models.backbones.mixing import SqueezeExcite
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer
from sacm_mm.models.defaults import BATCH_NORM
from sacm_mm.registry import MODELS


@MODELS.register_module()
class SparseSAConvMixer(SAConvMixer):
    """The backbone under masks, with the same parameters and the same state dict.

    (N, in_channels, H, W) -> maps (N, embed_dims, H / r, W / r) that are 0 at masked tokens. What
    is visible is told by the host's ``SparseHelper``, which ``SparK`` sets. Every convolution is
    followed by a norm, and the norms see visible tokens only and write 0 elsewhere: so a depthwise
    kernel finds zeros where a masked token is, as it does beyond the border, and nothing of it.

    Source: SparK (Tian et al., ICLR 2023), carried over to an isotropic network.

    Args:
        arch: As for ``SAConvMixer``, without ``-se``: its average is over all tokens.
        norm_cfg: A batch norm.
        **kwargs: As for ``SAConvMixer``.

    Raises:
        UserError: The arch or the norm mixes visible and masked tokens.
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'd512-l12-k5-p5',
        norm_cfg: Mapping = BATCH_NORM,
        **kwargs: Any,
    ) -> None:
        super().__init__(arch, norm_cfg=norm_cfg, **kwargs)
        _make_sparse(self)


def _make_sparse(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, SqueezeExcite):
            raise UserError('an arch with -se averages over masked tokens: leave it out')
        if type(child) is nn.BatchNorm2d:
            sparse = SparseBatchNorm2d(child.num_features, child.eps, child.momentum)
            sparse.load_state_dict(child.state_dict())
            setattr(module, name, sparse)
        elif isinstance(child, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
            raise UserError(
                f'a {type(child).__name__} has no sparse form here: let norm_cfg be a BN'
            )
        else:
            _make_sparse(child)
