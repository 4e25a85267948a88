"""Parameters, multiplications and activations of a network, counted as it runs.

PyTorch's own counter knows convolutions, grouped ones included, and every matrix product; what it
lacks is added here. Nothing is computed: weights and images live on the meta device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from sacm_mm.core.errors import mistakes_named
from sacm_mm.deploy.description import channels_of
from sacm_mm.swap.dry_run import build_part, quiet

aten = torch.ops.aten
# multiplications for each pixel that an interpolation writes; copying a neighbour takes none
_TAPS = {
    aten.upsample_linear1d: 2,
    aten.upsample_bilinear2d: 4,
    aten._upsample_bilinear2d_aa: 4,
    aten.upsample_bicubic2d: 16,
    aten._upsample_bicubic2d_aa: 16,
    aten.upsample_trilinear3d: 8,
}


@dataclass(frozen=True)
class Complexity:
    """What one forward pass of one image costs.

    Attributes:
        parameters: Numbers that are learned.
        macs: Multiplications with an addition, of convolutions, matrix products and interpolation.
            Norms, activations, poolings and sums are left out, as is usual.
        activations: Numbers that convolutions and matrix products write.
    """

    parameters: int
    macs: int
    activations: int


def used_model(cfg: Mapping) -> dict[str, Any]:
    """Return the part of a config's model that is used; an auxiliary head only trains."""
    return {key: value for key, value in cfg['model'].items() if key != 'auxiliary_head'}


def count_config(cfg: Mapping, size: Sequence[int]) -> dict[str, int]:
    """Count a config's network, and the parameters of its backbone, at a size (H, W)."""
    model = build_part(used_model(cfg), cfg.get('default_scope') or 'mmengine')
    body: Any = getattr(model, 'backbone', model)  # a network of timm as a whole has none
    backbone = sum(p.numel() for p in body.parameters())
    found = count(model, 1, channels_of(model), *size, forward=lambda x: model(x, mode='tensor'))
    return {**asdict(found), 'backbone_parameters': backbone}


def count(model: nn.Module, *shape: int, forward: Callable | None = None) -> Complexity:
    """Count a model for images (N, C, H, W); it is moved to the meta device and loses its weights.

    Args:
        model: Any module.
        shape: Shape of its input.
        forward: What to call with the input, if it is not the model itself.

    Raises:
        UserError: The model does not take such images.
    """
    model = model.to('meta')
    model.eval()  # mmpretrain's returns None
    named = mistakes_named(f'{type(model).__name__} does not run on {shape[-2]}x{shape[-1]} pixels')
    with named, quiet(), torch.no_grad(), torch.device('meta'):
        image = torch.empty(shape)
        macs, activations = count_call(lambda: (forward or model)(image))
    return Complexity(sum(p.numel() for p in model.parameters()), macs, activations)


def count_call(function: Callable[[], Any]) -> tuple[int, int]:
    """Count the multiplications and activations of a call."""
    written = 0

    def counted(formula: Callable) -> Callable:
        def count_op(*args: Any, out_val: Any = None, **kwargs: Any) -> int:
            nonlocal written
            written += _numbers(out_val)
            return formula(*args, out_val=out_val, **kwargs)

        count_op._get_raw = True  # type: ignore[attr-defined]
        return count_op

    formulas = {op: counted(formula) for op, formula in flop_registry.items()}
    formulas.update({op: _interpolation(taps) for op, taps in _TAPS.items()})
    with _unfused_attention(), FlopCounterMode(display=False, custom_mapping=formulas) as counter:
        function()
    return counter.get_total_flops() // 2, written


def _numbers(out: Any) -> int:
    out = out[0] if isinstance(out, (tuple, list)) else out
    return out.numel() if isinstance(out, Tensor) else 0


def _interpolation(taps: int) -> Callable:
    def count_op(*args: Any, out_shape: Any = None, **kwargs: Any) -> int:
        return 2 * taps * prod(out_shape)

    return count_op


@contextmanager
def _unfused_attention() -> Iterator[None]:
    """Make attention the matrix products that it is: a fused kernel is one unknown operator."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
