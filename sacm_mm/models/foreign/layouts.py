"""What a network returns, as maps (N, C, h, w)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

LAYOUTS = ('NCHW', 'NHWC', 'NLC', 'NCL')


def tensors_of(outputs: Any) -> Iterator[Tensor]:
    """Yield the tensors in lists, tuples and dicts, in their order."""
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, Mapping):
        for value in outputs.values():
            yield from tensors_of(value)
    elif isinstance(outputs, (list, tuple)):
        for value in outputs:
            yield from tensors_of(value)


def to_map(x: Tensor, layout: str, height: int, width: int, extra_tokens: int = 0) -> Tensor:
    """Lay a tensor out as (N, C, height, width).

    Args:
        x: (N, C, h, w), (N, h, w, C), tokens (N, L, C) or (N, C, L).
        layout: One of ``LAYOUTS``.
        height: Rows of the map.
        width: Columns of the map.
        extra_tokens: Tokens in front of those of the map: of a class, or registers.
    """
    if layout == 'NHWC':
        return x.permute(0, 3, 1, 2).contiguous()  # (N, h, w, C) -> (N, C, h, w)
    if layout == 'NLC':
        x = x.transpose(1, 2)  # (N, L, C) -> (N, C, L)
    if layout in ('NLC', 'NCL'):
        return x[:, :, extra_tokens:].reshape(x.shape[0], x.shape[1], height, width)
    return x
