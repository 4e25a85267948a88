"""What the old backbone hands on and the heads read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sacm_mm.core.configs import as_list
from sacm_mm.core.errors import UserError, one_line
from sacm_mm.swap.dry_run import argument_of, build_part, class_of, quiet, run_on_zeros

Form = int | tuple[int, ...] | None


@dataclass(frozen=True)
class Needs:
    """The maps that a model's heads were made for.

    Attributes:
        channels: Of each map that is handed on in training.
        strides: Of each map, in pixels; 0 for vectors.
        element: One of ``FeatureForm``'s elements, or ``'vector'``.
        train: Maps in training: None for all in a tuple, a number for a bare tensor.
        predict: Maps in evaluation, the same way.
        read: Indices of the maps that a head or neck reads.
        main: The map that the prediction comes from.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    element: str
    train: Form
    predict: Form
    read: tuple[int, ...]
    main: int


def needs_of(model: Mapping, scope: str, size: tuple[int, int], channels: int = 3) -> Needs:
    """Run a model's backbone once in training and once in evaluation and see who reads what.

    Args:
        model: The model's config.
        scope: Its default scope.
        size: Height and width of the images that it is trained on.
        channels: Channels of those images.

    Raises:
        UserError: It does not build or run, or hands on what no map can stand in for.
    """
    trained, predicted = _run(model['backbone'], scope, size, channels)
    train_shapes, element = _elements(trained[0], trained[1])
    predict_shapes, _ = _elements(*predicted)
    train: Form = 0 if isinstance(trained[0], Tensor) else None
    predict = _same_form(train_shapes, predict_shapes, isinstance(predicted[0], Tensor))
    widths = tuple(c for c, _ in train_shapes)
    strides = tuple(s for _, s in train_shapes)
    if element == 'vector':
        last = len(widths) - 1
        return Needs(widths, strides, element, train, predict, (last,), last)
    if isinstance(predict, int) and len(widths) > 1:  # the head sorts the others out itself
        return Needs(widths, strides, element, train, predict, tuple(range(len(widths))), predict)
    read, main = _readers(model, trained[0], scope)
    return Needs(widths, strides, element, train, predict, read, main)


def _run(
    cfg: Mapping, scope: str, size: tuple[int, int], channels: int
) -> list[tuple[Any, tuple[int, int]]]:
    """Return the output and the image's size, in training and in evaluation."""
    # a multiple of 64 has whole maps; a network of fixed size may take its own only
    whole = (max(round(size[0] / 64), 1) * 64, max(round(size[1] / 64), 1) * 64)
    reason = ''
    for device in ('meta', 'cpu'):  # some networks read values while they run
        model = build_part(cfg, scope, device)
        for height, width in dict.fromkeys((whole, size, (224, 224))):
            try:
                shape = (2, channels, height, width)
                outputs = []
                for mode in (True, False):
                    model.train(mode)  # which returns nothing in some of the hosts' networks
                    outputs.append((run_on_zeros(model, *shape, device=device), (height, width)))
                return outputs
            except Exception as error:  # it may fail in any way
                reason = reason or one_line(error)
    raise UserError(f'backbone {cfg.get("type")} does not run on an image alone: {reason[:200]}')


def _elements(outputs: Any, size: tuple[int, int]) -> tuple[list[tuple[int, int]], str]:
    """Read (channels, stride) of each element, and their kind."""
    elements = [outputs] if isinstance(outputs, Tensor) else outputs
    if isinstance(elements, Mapping) or not isinstance(elements, Sequence) or not elements:
        raise UserError(f'its backbone hands on a {type(outputs).__name__}, not feature maps')
    described = [_element(x, size) for x in elements]
    kinds = {kind for _, _, kind in described}
    if len(kinds) > 1:
        raise UserError(f'its backbone hands on {" and ".join(sorted(kinds))} together')
    return [(channels, stride) for channels, stride, _ in described], kinds.pop()


def _element(x: Any, size: tuple[int, int]) -> tuple[int, int, str]:
    if isinstance(x, (list, tuple)) and [getattr(y, 'ndim', 0) for y in x] == [4, 2]:
        return x[0].shape[1], round(size[0] / x[0].shape[2]), 'map_and_token'
    if isinstance(x, Tensor) and x.ndim == 4:
        return x.shape[1], round(size[0] / x.shape[2]), 'map'
    if isinstance(x, Tensor) and x.ndim == 2:
        return x.shape[1], 0, 'vector'
    if isinstance(x, Tensor) and x.ndim == 3:
        for channels, count, kind in ((1, 2, 'channels_first_tokens'), (2, 1, 'tokens')):
            stride = round((size[0] * size[1] / x.shape[count]) ** 0.5)
            if stride > 1 and (size[0] // stride) * (size[1] // stride) == x.shape[count]:
                return x.shape[channels], stride, kind
    if isinstance(x, (list, tuple)):
        shapes = ' and '.join(str(tuple(getattr(y, 'shape', ()))) for y in x)
        raise UserError(f'its head reads several tokens or vectors, {shapes}, that no map has')
    if x is None:  # InceptionV3 in evaluation
        raise UserError('its backbone classifies by itself: its head reads logits, not maps')
    shape = tuple(getattr(x, 'shape', ()))
    raise UserError(f'its head reads {shape or type(x).__name__}, a form that no map has')


def _same_form(
    trained: list[tuple[int, int]], predicted: list[tuple[int, int]], bare: bool
) -> Form:
    """Find the maps of evaluation among those of training."""
    if predicted == trained:
        return 0 if bare else None
    found: list[int] = []
    for shape in predicted:
        fits = [i for i, other in enumerate(trained) if other == shape and i not in found]
        if not fits:
            raise UserError('its backbone hands on other maps in evaluation than in training')
        found.append(fits[-1])
    return found[0] if bare else tuple(found)


def _readers(model: Mapping, maps: Any, scope: str) -> tuple[tuple[int, ...], int]:
    """Say which maps are read, and which of them leads to the prediction."""
    maps = [maps] if isinstance(maps, Tensor) else maps
    count = len(maps)
    everything = tuple(range(count))
    heads = as_list(model.get('decode_head'))
    neck = model.get('neck')
    if isinstance(neck, Mapping):  # FPN may begin at a later level
        taken = _seen_reading(neck, maps, scope) or set(everything)
        return tuple(sorted(taken)), max(taken)
    if neck or not heads:
        return everything, count - 1
    read: set[int] = set()
    for head in (*heads, *as_list(model.get('auxiliary_head'))):
        indices = _in_index(head, scope)
        if indices is None:
            return everything, count - 1
        read.update(i % count for i in indices)
        read.update(_seen_reading(head, maps, scope))
    return tuple(sorted(read)), max(i % count for i in _in_index(heads[0], scope) or (-1,))


def _in_index(head: Mapping, scope: str) -> tuple[int, ...] | None:
    """Return the maps that a head says it reads, None where it says nothing."""
    value = head.get('in_index')
    if value is None:
        value = default_of(class_of(head['type'], scope), 'in_index')
    if value is None:
        return None
    return (value,) if isinstance(value, int) else tuple(value)


def default_of(cls: Any, name: str) -> Any:
    """Return the default of an argument of a class, None where it has none."""
    found = argument_of(cls, name)
    return None if found is None or found.default is found.empty else found.default


class _Watched(tuple):
    """Maps that note which of them are taken; iterating over them takes all."""

    taken: set[int]

    def __getitem__(self, index: Any) -> Any:
        self.taken.update(
            [*range(len(self))][index] if isinstance(index, slice) else [index % len(self)]
        )
        return super().__getitem__(index)

    def __iter__(self) -> Any:
        self.taken.update(range(len(self)))
        return super().__iter__()


def _seen_reading(head: Mapping, maps: Sequence[Tensor], scope: str) -> set[int]:
    """Watch a head run: some read maps that ``in_index`` does not name (DeepLabV3+)."""
    watched = _Watched(x.to('meta') if isinstance(x, Tensor) else x for x in maps)
    watched.taken = set()
    # what keeps a head from running here says nothing of the swap; the new model is built later
    with suppress(Exception), quiet(), torch.no_grad(), torch.device('meta'):
        build_part(head, scope)(watched)
    return watched.taken
