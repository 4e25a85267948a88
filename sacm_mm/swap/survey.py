"""Find out how an unknown network has to be called, and what it returns, by running it.

It runs without its weights wherever it can: on the meta device only shapes are worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.models.foreign.backbone import Tapped
from sacm_mm.models.foreign.layouts import tensors_of
from sacm_mm.swap.dry_run import run_on_zeros
from sacm_mm.swap.feature_info import PROBE_SIZES, SMALLEST_STRIDE, last_of_each_stride

LARGEST_STRIDE = 64
MOST_EXTRA_TOKENS = 16
# their divisors are the usual patches and windows: 7 * 64, 15 * 32, and powers of two
_BASES = (448, 480, 512)
# sides of images that are multiples of no more than they have to be: two primes
_ODD_SIDES = ((3, 5), (5, 7), (7, 11), (11, 13), (17, 19), (29, 31), (53, 59), (101, 103))
_SMALLEST_SIDE = 96
_FIXED_SIZES = (224, 256, 384, 512, 192, 64, 32)

Size = tuple[int, int]


@dataclass(frozen=True)
class FoundMap:
    """A tensor among what a network returns that is a map.

    Attributes:
        index: Its place, counted through lists, tuples and dicts.
        layout: One of ``layouts.LAYOUTS``.
        channels: C.
        stride: In pixels.
        extra_tokens: Tokens in front of the map's.
        exact: Whether the stride times the map's size is the image's.
    """

    index: int
    layout: str
    channels: int
    stride: int
    extra_tokens: int = 0
    exact: bool = True


@dataclass(frozen=True)
class Survey:
    """How a network is called: what ``ForeignBackbone`` has as arguments of these names."""

    maps: tuple[FoundMap, ...]
    count: int
    size_divisor: int = 1
    square: bool = False
    image_size: Size | None = None


Run = Callable[[int, int], list[Tensor]]


def survey(
    build: Callable[[str], nn.Module],
    layers: Sequence[str],
    channels: int = 3,
    sizes: Sequence[Size] = (),
) -> Survey:
    """Run a network on images of several sizes.

    Args:
        build: Builds the network for a device, ``'meta'`` or ``'cpu'``.
        layers: Modules in it whose outputs are taken.
        channels: Of the images.
        sizes: Heights and widths to try if it takes images of one size only.

    Raises:
        UserError: It does not run, or returns no maps; the message has the reason and the fix.
    """
    failure = ''
    for device in ('meta', 'cpu'):  # some networks read values while they run
        model = build(device).eval()
        run = _runner(model, layers, channels, device)
        own = [*sizes, *_own_sizes(model)]
        for find in (_any_size, partial(_any_size, square=True), partial(_one_size, sizes=own)):
            try:
                found = find(run)
            except UserError:
                raise
            except Exception as error:  # a network may fail in any way
                failure = one_line(error, 200)
                continue
            if not found.maps:
                raise UserError(_no_maps(model, run, channels, device))
            return found
    raise UserError(f'{type(model).__name__} does not run on an image: {failure}')


def _runner(model: nn.Module, layers: Sequence[str], channels: int, device: str) -> Run:
    network = partial(Tapped(model, layers), model)
    # two images, for some squeeze the outputs
    return lambda h, w: [*tensors_of(run_on_zeros(network, 2, channels, h, w, device=device))]


def _own_sizes(model: nn.Module) -> list[Size]:
    own = getattr(model, 'img_size', None) or getattr(model, 'image_size', None)
    return [
        (size, size) if isinstance(size, int) else tuple(size)
        for size in (own, *_FIXED_SIZES)
        if isinstance(size, int) or (isinstance(size, Sequence) and len(size) == 2)
    ]  # fmt: skip


def _any_size(run: Run, square: bool = False) -> Survey:
    base, outputs = _first_base(lambda b: [run(b, b), run(2 * b if square else b, 2 * b)])
    found = [_compare(i, base, x, y, not square) for i, (x, y) in enumerate(zip(*outputs))]
    maps = tuple(x for x in found if x is not None)
    return Survey(maps, len(found), _divisor(run, base, maps, square), square)


def _first_base(outputs_of: Callable[[int], list[list[Tensor]]]) -> tuple[int, list[list[Tensor]]]:
    failure: Exception | None = None
    for base in _BASES:
        try:
            outputs = outputs_of(base)
        except Exception as error:  # another size may do
            failure = failure or error
            continue
        if len({len(tensors) for tensors in outputs}) == 1:
            return base, outputs
        failure = failure or ValueError('it returns another number of tensors for another size')
    assert failure is not None
    raise failure


def _one_size(run: Run, sizes: Sequence[Size]) -> Survey:
    failure: Exception | None = None
    for size in dict.fromkeys(sizes):
        try:
            tensors = run(*size)
        except Exception as error:  # another size may do
            failure = failure or error
            continue
        found = [_of_one_size(i, size, x) for i, x in enumerate(tensors)]
        maps = tuple(x for x in found if x is not None)
        return Survey(maps, len(tensors), image_size=size)
    assert failure is not None
    raise failure


def _compare(i: int, base: int, x: Tensor, y: Tensor, wider: bool) -> FoundMap | None:
    """See which axes grow with the image: from (base, base) to twice the width, or both sides."""
    if x.ndim != y.ndim:
        return None
    grown = tuple(a for a in range(x.ndim) if x.shape[a] != y.shape[a])
    if x.ndim == 4:
        axes: dict[tuple[int, ...], str] = (
            {(3,): 'NCHW', (2,): 'NHWC'} if wider else {(2, 3): 'NCHW', (1, 2): 'NHWC'}
        )
        return _map(i, axes[grown], x, base) if grown in axes else None
    if x.ndim == 3 and grown in ((1,), (2,)):
        tokens, more = x.shape[grown[0]], y.shape[grown[0]]
        side = ((more - tokens) / (1 if wider else 3)) ** 0.5
        if side >= 1 and side == int(side) and base % side == 0 and tokens >= side**2:
            stride = base // int(side)
            channels = x.shape[3 - grown[0]]
            layout = {1: 'NLC', 2: 'NCL'}[grown[0]]
            return FoundMap(i, layout, channels, stride, tokens - int(side) ** 2)
    return None


def _map(i: int, layout: str, x: Tensor, size: int) -> FoundMap:
    rows = x.shape[2 if layout == 'NCHW' else 1]
    stride = round(size / rows)
    channels = x.shape[1 if layout == 'NCHW' else 3]
    return FoundMap(i, layout, channels, stride, exact=stride * rows == size)


def _of_one_size(i: int, size: Size, x: Tensor) -> FoundMap | None:
    """Read one tensor's layout off its shape alone."""
    height, width = size
    if x.ndim == 4:
        fits = [
            layout
            for layout, (a, b) in (('NCHW', (2, 3)), ('NHWC', (1, 2)))
            if x.shape[a] * width == x.shape[b] * height and x.shape[a] > 1
        ]
        if len(fits) == 2:
            raise UserError(
                f'a map of {tuple(x.shape)} may be (N, C, h, w) or (N, h, w, C): give '
                "dict(type='sacm_mm.ForeignBackbone', ...) with its layouts"
            )
        return _map(i, fits[0], x, height) if fits else None
    if x.ndim == 3:
        best: tuple[int, int, int] | None = None
        for axis in (1, 2):
            for stride in range(2, LARGEST_STRIDE + 1):
                extra = x.shape[axis] - (height // stride) * (width // stride)
                whole = height % stride == width % stride == 0
                if whole and 0 <= extra <= MOST_EXTRA_TOKENS and extra < (best or (99,))[0]:
                    best = (extra, axis, stride)
        if best is not None:
            extra, axis, stride = best
            return FoundMap(i, {1: 'NLC', 2: 'NCL'}[axis], x.shape[3 - axis], stride, extra)
    return None


def _divisor(run: Run, base: int, maps: Sequence[FoundMap], square: bool) -> int:
    """Find the least number of which every side must be a multiple, so that no pixel is lost."""
    exact = maps if all(x.exact for x in maps) else ()
    for divisor in (d for d in range(1, base) if base % d == 0):
        sides = next(
            ((divisor * a, divisor * b) for a, b in _ODD_SIDES if divisor * a >= _SMALLEST_SIDE),
            (101, 103),
        )
        sizes = [(side, side) for side in sides] if square else [sides, sides[::-1]]
        if all(_covers(run, size, exact) for size in sizes):
            return divisor
    return base


def _covers(run: Run, size: Size, maps: Sequence[FoundMap]) -> bool:
    """Whether an image of ``size`` is taken, and its maps are as large as they should be."""
    try:
        tensors = run(*size)
    except Exception:  # it takes other sizes only
        return False
    for found in maps:
        rows, columns = (-(-side // found.stride) for side in size)
        shape = tensors[found.index].shape
        if found.layout in ('NLC', 'NCL'):
            tokens = shape[1 if found.layout == 'NLC' else 2]
            whole = not any(side % found.stride for side in size)
            if not whole or tokens != rows * columns + found.extra_tokens:
                return False
        else:
            at = 2 if found.layout == 'NCHW' else 1
            if tuple(shape[at : at + 2]) != (rows, columns):
                return False
    return True


def chosen_maps(maps: Sequence[FoundMap]) -> list[FoundMap]:
    """Choose the last map of each usual stride, fine ones first; or simply the last."""
    usual = [x for x in maps if x.stride <= LARGEST_STRIDE]
    return [usual[i] for i in last_of_each_stride([x.stride for x in usual])] or [maps[-1]]


def _no_maps(model: nn.Module, run: Run, channels: int, device: str) -> str:
    name = type(model).__name__
    shapes = ''
    for size in PROBE_SIZES:
        try:
            shapes = ', '.join(str(tuple(x.shape)) for x in run(size, size))
            break
        except Exception:  # of a fixed size
            continue
    layers = suggest_layers(model, channels, device)
    fix = (
        f"append '@{','.join(layers)}' to its name to take the outputs of these layers"
        if layers
        else 'none of its layers gives maps either'
    )
    return f'{name} returns no feature maps but {shapes or "nothing"} for two images: {fix}'


def suggest_layers(model: nn.Module, channels: int = 3, device: str = 'meta') -> list[str]:
    """Name the outermost module that ends each stride, fine ones first."""
    found = _maps_of_layers(model, channels, device)
    if not found:
        return []
    outermost = min(name.count('.') for name in found)
    best: dict[int, str] = {}
    for name, stride in found.items():
        depth = name.count('.')
        if depth <= outermost + 1 and (stride not in best or depth <= best[stride].count('.')):
            best[stride] = name
    return [best[stride] for stride in sorted(best)]


def _maps_of_layers(model: nn.Module, channels: int, device: str) -> dict[str, int]:
    """Return the stride of each module that ends in a map, in the order in which they end."""
    base = _BASES[0]
    maps: dict[str, FoundMap | None] = {}
    try:
        narrow, wide = (
            _outputs(model, channels, (base, width), device) for width in (base, 2 * base)
        )
        maps = {name: _compare(0, base, narrow[name], wide[name], wider=True) for name in narrow}
    except Exception:  # it takes one size only
        for size in _own_sizes(model):
            with suppress(Exception):
                outputs = _outputs(model, channels, size, device)
                maps = {name: _of_one_size(0, size, x) for name, x in outputs.items()}
                break
    return {
        name: found.stride
        for name, found in maps.items()
        if found is not None and SMALLEST_STRIDE <= found.stride <= LARGEST_STRIDE
    }


def _outputs(model: nn.Module, channels: int, size: Size, device: str) -> dict[str, Tensor]:
    """Return the first tensor that each module hands on, in the order in which they end."""
    found: dict[str, Tensor] = {}

    def keep(output: Any, name: str) -> None:
        first = next(tensors_of(output), None)
        if first is not None:
            found.pop(name, None)  # one that runs again ends last
            found[name] = first

    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: keep(output, name))
        for name, module in model.named_modules()
        if name
    ]
    try:
        run_on_zeros(model, 2, channels, *size, device=device)
    finally:
        for handle in handles:
            handle.remove()
    return found
