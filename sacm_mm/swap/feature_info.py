"""What a backbone hands on: how many maps, of which channels and strides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.swap.dry_run import build_part, run_on_zeros

# of every usual stride, 7 and 14 included, 448 is a multiple; 224 is for networks of a fixed size
PROBE_SIZES = (448, 224)
SMALLEST_STRIDE = 4
MOST_LEVELS = 20


@dataclass(frozen=True)
class FeatureInfo:
    """Feature maps (N, channels[i], H / strides[i], W / strides[i])."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]


def feature_info(cfg: Mapping, scope: str = 'mmengine') -> tuple[FeatureInfo, nn.Module]:
    """Learn what a new backbone hands on, by its attributes or by running it.

    Raises:
        UserError: It does not build, does not run, or gives something else than maps.
    """
    model = build_part(cfg, scope)
    channels, strides = getattr(model, 'out_channels', None), getattr(model, 'out_strides', None)
    if type(model).__module__.startswith('sacm_mm.') and channels and strides:
        return FeatureInfo(tuple(channels), tuple(strides)), model
    model.eval()
    reason = ''
    for size in _sizes(model):
        try:
            return _maps(run_on_zeros(model, 1, cfg.get('in_channels', 3), size, size), size), model
        except UserError:
            raise
        except Exception as error:  # another size may do
            reason = reason or one_line(error, 200)
    raise UserError(f'{cfg.get("type")} does not run on an image: {reason}')


def _sizes(model: nn.Module) -> list[int]:
    fixed = getattr(model, 'img_size', None)
    fixed = fixed[0] if isinstance(fixed, Sequence) else fixed
    return [*PROBE_SIZES, *([fixed] if isinstance(fixed, int) else [])]


def _maps(outputs: Any, size: int) -> FeatureInfo:
    outputs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if not outputs or any(not isinstance(x, Tensor) or x.ndim != 4 for x in outputs):
        shapes = ', '.join(str(tuple(getattr(x, 'shape', ()))) for x in outputs)
        raise UserError(f'gives no feature maps but tokens or a vector: {shapes or "nothing"}')
    return FeatureInfo(
        tuple(x.shape[1] for x in outputs),
        tuple(round(size / x.shape[2]) for x in outputs),
    )


def with_every_stride(cfg: Mapping, takes_indices: bool) -> dict:
    """Set ``out_indices`` to the last map of each stride from 4 on, where there is a choice.

    An isotropic backbone keeps its default, its last map.
    """
    default = {key: value for key, value in cfg.items() if key != 'out_indices'}
    maps, _ = feature_info(default)
    if not takes_indices:
        return default
    levels = 0
    for count in range(4, MOST_LEVELS):
        try:
            every, _ = feature_info(dict(default, out_indices=tuple(range(count))))
        except UserError:
            break
        if len(every.strides) != count or (count == 4 and set(every.strides) == set(maps.strides)):
            break
        levels, maps = count, every
    if not levels:
        return default
    return dict(default, out_indices=tuple(sorted(last_of_each_stride(maps.strides))))


def last_of_each_stride(strides: Sequence[int]) -> list[int]:
    """Choose the last map of each stride from 4 on, fine ones first."""
    last = {stride: i for i, stride in enumerate(strides) if stride >= SMALLEST_STRIDE}
    return [last[stride] for stride in sorted(last)]
