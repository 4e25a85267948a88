"""Predict a stream of pictures: reading and writing overlap with the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sacm_mm.apis.predictor import Model, Prepared, Source
from sacm_mm.apis.result import Result
from sacm_mm.core.errors import UserError

_AHEAD = 3  # batches that are read before the network asks, and results that wait to be written
_PIXELS = 500_000  # of a batch: with fewer processors idle, more only take memory
_MOST = 64  # pictures of a batch

Key = TypeVar('Key')
Predicted = tuple[Key, Result | UserError]


def predict_stream(
    model: Model,
    sources: Iterable[tuple[Key, Source]],
    batch: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
) -> Iterator[Predicted]:
    """Predict pictures in their order; the next ones are read meanwhile.

    Args:
        model: The model; scores of pixels are not kept.
        sources: A key and a path or array for each; they are asked for in another thread.
        batch: Pictures of one size that go through the network together at most; by default as
            many as have half a megapixel.
        tile: See ``Model.predict``.
        overlap: See ``Model.predict``.

    Yields:
        Key and result, or the error that says why there is none.
    """
    if tile:
        model.check_tiles()

    def read(source: Source) -> Any:
        return model.read(source) if tile else model.prepare(source)

    waiting: list[tuple[Key, Prepared]] = []
    for key, found in _read_ahead(sources, read):
        if waiting and (isinstance(found, UserError) or not _joins(found, waiting, batch)):
            yield from _compute(model, waiting)
            waiting = []
        if isinstance(found, UserError):
            yield key, found
        elif tile:
            yield key, _tried(partial(model.predict_tiles, found, tile, overlap))
        else:
            waiting.append((key, found))
    if waiting:
        yield from _compute(model, waiting)


def _read_ahead(
    sources: Iterable[tuple[Key, Source]], read: Callable[[Source], Any]
) -> Iterator[tuple[Key, Any]]:
    """Read in one thread, a few pictures ahead."""
    remaining = iter(sources)

    def step() -> tuple[Key, Any] | None:
        found = next(remaining, None)
        return found and (found[0], _tried(lambda: read(found[1])))

    with ThreadPoolExecutor(1) as reader:
        ahead: deque[Future] = deque(reader.submit(step) for _ in range(_AHEAD))
        try:
            while (found := ahead.popleft().result()) is not None:
                ahead.append(reader.submit(step))
                yield found
        finally:
            for future in ahead:
                future.cancel()


def _joins(picture: Prepared, waiting: list[tuple[Any, Prepared]], batch: int | None) -> bool:
    """Tell whether a picture goes with those that wait."""
    first = waiting[0][1]
    pixels = int(np.prod(first.shape[1:]))
    most = batch or min(max(1, _PIXELS // max(pixels, 1)), _MOST)
    return picture.shape == first.shape and len(waiting) < most


def _compute(model: Model, waiting: list[tuple[Key, Prepared]]) -> Iterator[Predicted]:
    """Predict a batch; if it fails, one by one, so that the culprit alone has no result."""
    pictures = [picture for _, picture in waiting]
    found = _tried(lambda: model.compute(pictures, False))
    for place, (key, picture) in enumerate(waiting):
        if not isinstance(found, UserError):
            yield key, found[place]
        elif len(waiting) == 1:
            yield key, found
        else:
            alone = _tried(partial(model.compute, [picture], False))
            yield key, alone if isinstance(alone, UserError) else alone[0]


def _tried(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except UserError as error:
        return error


class WriteBehind:
    """Calls that write, in threads; what they return is handed on in the order of the calls.

    Where something goes wrong, what is finished is handed on all the same.

    Args:
        take: Is called with what each call returned, in the thread that asks for them.
        threads: More than one may finish in any order.
    """

    def __init__(self, take: Callable[[Any], Any], threads: int = 2) -> None:
        self._take = take
        self._pool = ThreadPoolExecutor(threads)
        self._most = threads + _AHEAD
        self._waiting: deque[Future] = deque()

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(self, kind: type | None, *error: object) -> None:
        try:
            if kind is None:
                self._hand_on(0)
        finally:
            # what is under way is finished, so that nothing is half-written
            self._pool.shutdown(wait=True, cancel_futures=True)
            for future in self._waiting:
                if not future.cancelled() and future.exception() is None:
                    self._take(future.result())

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call later; hand on what is done, and wait where too many do."""
        self._waiting.append(self._pool.submit(function, *arguments))
        self._hand_on(self._most)

    def _hand_on(self, most: int) -> None:
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > most):
            self._take(self._waiting.popleft().result())
