"""Launch the Triton kernels of the mixer block: the functions of ``reference``, for GPUs.

What limits a mixer block on a GPU is the memory its tensors pass through. Passes over a tensor of
N * C * H * W values (a read or a write of it) a block, the pointwise GEMMs (2 forward, 4 backward)
included:

=================================  ==============  =====================================
half, direction                    eager PyTorch   here
=================================  ==============  =====================================
depthwise half, inference          9               2   read x, write y
pointwise half, inference          6               4   2 with the epilogue in the GEMM
depthwise half, training forward   10              5   r x, w u; r u, r x, w y
depthwise half, backward           16              10  r dy, r u; r dy, r u, w du;
                                                       r du, r dy, w dx; r x, r du
pointwise half, training forward   7               5   GEMM 2; r v; r v, w z
pointwise half, backward           13              9   r dz, r v; r dz, r v, w dv; GEMMs 4
=================================  ==============  =====================================

46 passes a training step become 29, and 15 of inference 4 to 6. Eager counts: convolution 2, its
weight gradient 2, its bias gradient 1, GELU 2 and 3, batch norm 3 and 5, the residual's addition 3
and, backward, its accumulation 3.

u, the convolution's output before GELU, is stored. From it GELU, its slope and the normalised value
are recomputed in registers wherever they are needed. To recompute u itself would save two passes
(w u, r u) but cost a second convolution, which is no cheaper: with k = 7 in bfloat16 its 49
multiply-adds a value take an H100 as long as three passes, by the count of instructions. The
gradient du is stored too: to compute it inside the depthwise input gradient would save two passes
and evaluate GELU's slope (COLS + k - 1) / COLS times.

Weight and statistics gradients are summed in two stages of fixed order, in float32. With k = 7 and
16-bit types the depthwise kernels keep the multiply-add units as busy as the memory: 49 of about 75
instructions a value are multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from sacm_mm.kernels.gpu.pointwise import convolve_pointwise
from sacm_mm.kernels.gpu.reference import layout
from sacm_mm.kernels.gpu.triton_kernels import depthwise, normalization, pointwise, statistics
from sacm_mm.kernels.gpu.tuning import run_fastest

_CHANNELS_LAST = torch.channels_last
_WAVES = 8  # programs a multiprocessor that a reduction is spread over


@dataclass(frozen=True)
class Strip:
    """How a depthwise kernel is cut: lanes are BLOCK_C channels by BLOCK_X strips of COLS."""

    cols: int
    block_c: int
    block_x: int
    unroll: int
    warps: int


@dataclass(frozen=True)
class Tile:
    """How an elementwise kernel is cut."""

    block_p: int
    block_c: int
    warps: int


@dataclass(frozen=True)
class Product:
    """How a GEMM is cut."""

    block_m: int
    block_n: int
    block_k: int
    stages: int
    warps: int


def strips(k: int, channels_last: bool) -> list[Strip]:
    """List the cuts worth trying; taps and sums of k rows of COLS have to fit into registers."""
    if not channels_last:
        cuts = [Strip(4, 16, 8, 1, 4), Strip(2, 8, 16, 1, 4), Strip(1, 4, 32, 1, 4)]
        return cuts if k < 9 else cuts[1:]
    cuts = [Strip(4, 32, 4, 1, 4), Strip(4, 32, 4, 2, 4), Strip(4, 32, 2, 1, 2)]
    if k < 9:
        cuts += [Strip(8, 32, 4, 1, 4), Strip(4, 64, 4, 1, 4)]
    return cuts


def tiles(channels: int, pixels: int, channels_last: bool) -> list[Tile]:
    """List the cuts worth trying for elementwise passes."""
    if channels_last:
        widest = triton.next_power_of_2(channels)
        widths = sorted({min(width, widest) for width in (64, 128, 256)})
        return [Tile(2048 // width, width, 4) for width in widths[::-1]]
    longest = triton.next_power_of_2(pixels)
    lengths = sorted({min(length, longest) for length in (512, 1024, 2048)})
    # With 4 warps, 16 values a thread, the gradient's sums spill on an A100.
    return [Tile(length, max(1, 2048 // length), 8) for length in lengths[::-1]]


def products(capability: tuple[int, int]) -> list[Product]:
    """List the cuts worth trying for the GEMM on a GPU of this compute capability.

    The largest keeps 128 sums a thread, which leaves its epilogue few registers: compiled for
    Hopper it spills with 128 x 256, for other GPUs with 256 x 128.
    """
    largest = (256, 128) if capability[0] == 9 else (128, 256)
    return [
        Product(128, 128, 64, 3, 8),
        Product(*largest, 64, 3, 8),
        Product(64, 128, 64, 4, 4),
        Product(64, 64, 64, 4, 4),
    ]


def depthwise_norm(x, weight, bias, gamma, beta, eps):
    """See ``reference.depthwise_norm``."""
    x = _dense(x)
    pre = torch.empty_like(x)

    def run(cut: Strip) -> tuple[Tensor, Tensor]:
        parts = _depthwise(depthwise.TRAIN, x, weight, pre, cut, bias=bias)
        return _merged(parts)

    mean, var = _tuned_depthwise('train', x, weight, run)
    return _normalize(pre, None, x, mean, var, gamma, beta, eps), pre, mean, var


def depthwise_norm_backward(dy, x, weight, pre, gamma, mean, var, eps):
    """See ``reference.depthwise_norm_backward``."""
    x = _dense(x)
    dy = dy.contiguous(memory_format=layout(x))
    dpre, dbias, dgamma, dbeta = gelu_norm_backward(dy, pre, None, gamma, mean, var, eps)
    dx = torch.empty_like(x)

    def input_grad(cut: Strip) -> None:
        _depthwise(depthwise.GRAD, dpre, weight, dx, cut, residual=dy)

    _tuned_depthwise('grad', x, weight, input_grad)
    dweight = _tuned_depthwise('weight', x, weight, lambda cut: _weight_grad(x, dpre, weight, cut))
    return dx, dweight, dbias, dgamma, dbeta


def depthwise_eval(x, weight, bias, mean, var, gamma, beta, eps):
    """See ``reference.depthwise_eval``."""
    x = _dense(x)
    out = torch.empty_like(x)
    norm = dict(mean=mean, var=var, gamma=gamma, beta=beta, eps=eps)
    _tuned_depthwise(
        'eval',
        x,
        weight,
        lambda cut: _depthwise(depthwise.EVAL, x, weight, out, cut, bias=bias, **norm),
    )
    return out


def gelu_norm(x, bias, gamma, beta, eps):
    """See ``reference.gelu_norm``."""
    x = _dense(x)

    def run(cut: Tile) -> tuple[Tensor, Tensor]:
        grid, sizes = _reduction(x, cut)
        parts = _empty(x, 3, sizes['parts'], x.shape[1])
        normalization.statistics_kernel[grid](
            x, _or(bias, x), parts, **sizes, HAS_BIAS=bias is not None, **_options(cut)
        )
        return _merged(parts)

    mean, var = _tuned_elementwise('statistics', x, run)
    return _normalize(x, bias, None, mean, var, gamma, beta, eps), mean, var


def gelu_norm_backward(dy, x, bias, gamma, mean, var, eps):
    """See ``reference.gelu_norm_backward``."""
    x = _dense(x)
    dy = dy.contiguous(memory_format=layout(x))
    c = x.shape[1]
    out = torch.empty_like(x)
    has_bias = bias is not None

    def run_sums(cut: Tile) -> Tensor:
        grid, sizes = _reduction(x, cut)
        parts = _empty(x, sizes['parts'], 2, c)
        normalization.gradient_sums_kernel[grid](
            dy, x, _or(bias, x), mean, parts, **sizes, HAS_BIAS=has_bias, **_options(cut)
        )
        return parts.sum(0)

    sums = _tuned_elementwise('sums', x, run_sums)

    def run(cut: Tile) -> Tensor:
        grid, sizes = _reduction(x, cut)
        parts = _empty(x, sizes['parts'], c)
        normalization.gradient_kernel[grid](
            dy, x, _or(bias, x), mean, var, _or(gamma, x), sums, out, parts, eps, c / x.numel(),
            **sizes, HAS_BIAS=has_bias, AFFINE=gamma is not None, **_options(cut),
        )  # fmt: skip
        return parts.sum(0)

    dbias = _tuned_elementwise('gradient', x, run)
    return out, dbias, sums[1] * torch.rsqrt(var + eps), sums[0].clone()


def gelu_norm_eval(x, bias, mean, var, gamma, beta, eps):
    """See ``reference.gelu_norm_eval``."""
    return _normalize(_dense(x), bias, None, mean, var, gamma, beta, eps)


def pointwise_eval(x, weight, bias, mean, var, gamma, beta, eps):
    """See ``reference.pointwise_eval``.

    Channels-last 16-bit tensors have the choice of one kernel or a library GEMM and a pass.
    """
    x = _dense(x)
    weight = weight.to(x.dtype)
    norm = (bias, mean, var, gamma, beta, eps)

    def run(cut: Product | None) -> Tensor:
        if cut is None:
            return _normalize(convolve_pointwise(x, weight), bias, None, *norm[1:])
        return _fused_product(x, weight, *norm, cut)

    choices: list[Product | None] = [None]
    if layout(x) == _CHANNELS_LAST and x.element_size() == 2:
        choices += products(_capability(x.device))
    key = ('pointwise', tuple(weight.shape), *_key(x))
    return run_fastest(key, choices, run, x.device)


def _fused_product(x, weight, bias, mean, var, gamma, beta, eps, cut: Product) -> Tensor:
    n, c, h, w = x.shape
    d = weight.shape[0]
    out = torch.empty((n, d, h, w), dtype=x.dtype, device=x.device, memory_format=_CHANNELS_LAST)
    grid = (triton.cdiv(n * h * w, cut.block_m) * triton.cdiv(d, cut.block_n),)
    pointwise.pointwise_kernel[grid](
        x, weight.flatten(1).contiguous(), _or(bias, x), mean, var, _or(gamma, x), _or(beta, x),
        out, eps, n * h * w, C=c, D=d, HAS_BIAS=bias is not None, AFFINE=gamma is not None,
        BLOCK_M=cut.block_m, BLOCK_N=cut.block_n, BLOCK_K=cut.block_k,
        num_stages=cut.stages, num_warps=cut.warps,
    )  # fmt: skip
    return out


def _depthwise(
    mode, x, weight, out, cut: Strip, bias=None, residual=None, mean=None, var=None, gamma=None,
    beta=None, eps=0.0,
) -> Tensor:  # fmt: skip
    """Launch ``depthwise_kernel``; returns the partial statistics, which only TRAIN fills."""
    n, c, h, w = x.shape
    taps, channels_last = _taps(weight, x)
    across = triton.cdiv(w, cut.cols * cut.block_x)
    blocks = triton.cdiv(c, cut.block_c)
    height = _height(h, weight.shape[-1], n * across * blocks, x.device)
    down = triton.cdiv(h, height)
    count = n * across * down
    parts = _empty(x, 3, count if mode == depthwise.TRAIN else 0, c)
    depthwise.depthwise_kernel[(count * blocks,)](
        x, taps, _or(bias, x), _or(residual, x), _or(mean, x), _or(var, x), _or(gamma, x),
        _or(beta, x), out, parts, eps, h, w, height, down, across, count,
        C=c, K=weight.shape[-1], MODE=mode.value, CHANNELS_LAST=channels_last,
        HAS_BIAS=bias is not None, AFFINE=gamma is not None, COLS=cut.cols,
        BLOCK_C=cut.block_c, BLOCK_X=cut.block_x, UNROLL=cut.unroll,
        num_warps=cut.warps, num_stages=1,
    )  # fmt: skip
    return parts


def _weight_grad(x: Tensor, grad: Tensor, weight: Tensor, cut: Strip) -> Tensor:
    n, c, h, w = x.shape
    k = weight.shape[-1]
    across = triton.cdiv(w, cut.cols * cut.block_x)
    blocks = triton.cdiv(c, cut.block_c)
    count = min(n * across, _share(blocks, x.device))
    parts = _empty(x, count, k * k, c)
    depthwise.depthwise_weight_grad_kernel[(count * blocks,)](
        x, grad, parts, h, w, across, n * across, count, C=c, K=k,
        CHANNELS_LAST=layout(x) == _CHANNELS_LAST, COLS=cut.cols, BLOCK_C=cut.block_c,
        BLOCK_X=cut.block_x, UNROLL=cut.unroll, num_warps=cut.warps, num_stages=1,
    )  # fmt: skip
    return parts.sum(0).t().contiguous().view(c, 1, k, k).to(weight.dtype)


def _normalize(x, bias, residual, mean, var, gamma, beta, eps) -> Tensor:
    out = torch.empty_like(x)

    def run(cut: Tile) -> None:
        sizes, count, blocks = _cut(x, cut)
        normalization.normalize_kernel[(count * blocks,)](
            x, _or(bias, x), _or(residual, x), mean, var, _or(gamma, x), _or(beta, x), out,
            eps, **sizes, HAS_BIAS=bias is not None, RESIDUAL=residual is not None,
            AFFINE=gamma is not None, **_options(cut),
        )  # fmt: skip

    _tuned_elementwise('normalize', x, run, residual is not None)
    return out


def _merged(parts: Tensor) -> tuple[Tensor, Tensor]:
    """Merge partial statistics (3, parts, C) into mean and biased variance (C,)."""
    _, count, c = parts.shape
    mean, var = _empty(parts, c), _empty(parts, c)
    statistics.merge_statistics_kernel[(triton.cdiv(c, 32),)](
        parts, mean, var, count, C=c, BLOCK_P=32, BLOCK_C=32
    )
    return mean, var


def _tuned_depthwise(name: str, x: Tensor, weight: Tensor, run: Callable[[Strip], Any]) -> Any:
    k = weight.shape[-1]
    choices = strips(k, layout(x) == _CHANNELS_LAST)
    return run_fastest((name, k, *_key(x)), choices, run, x.device)


def _tuned_elementwise(name: str, x: Tensor, run: Callable[[Tile], Any], *key: Any) -> Any:
    n, c, h, w = x.shape
    channels_last = layout(x) == _CHANNELS_LAST
    choices = tiles(c, n * h * w if channels_last else h * w, channels_last)
    return run_fastest((name, *key, *_key(x)), choices, run, x.device)


def _key(x: Tensor) -> tuple:
    """What a kernel's time depends on; sizes to the power of two, so that few are timed."""
    n, c, h, w = x.shape
    sizes = (n.bit_length(), c, h.bit_length(), w.bit_length())
    return (*sizes, x.dtype, layout(x) == _CHANNELS_LAST)


def _cut(x: Tensor, cut: Tile) -> tuple[dict[str, Any], int, int]:
    """Return a kernel's sizes, the number of tiles and of blocks of channels."""
    n, c, h, w = x.shape
    channels_last = layout(x) == _CHANNELS_LAST
    images, pixels = (1, n * h * w) if channels_last else (n, h * w)
    sizes = dict(pixels=pixels, C=c, CHANNELS_LAST=channels_last)
    return sizes, images * triton.cdiv(pixels, cut.block_p), triton.cdiv(c, cut.block_c)


def _reduction(x: Tensor, cut: Tile) -> tuple[tuple[int], dict[str, Any]]:
    """Return the grid and the sizes of a kernel that sums over positions."""
    sizes, count, blocks = _cut(x, cut)
    parts = min(count, _share(blocks, x.device))
    return (parts * blocks,), dict(sizes, tiles=count, parts=parts)


def _options(cut: Tile) -> dict[str, int]:
    return dict(BLOCK_P=cut.block_p, BLOCK_C=cut.block_c, num_warps=cut.warps)


def _height(h: int, k: int, programs: int, device: torch.device) -> int:
    """Choose a strip's height: the image's, less where that leaves multiprocessors idle."""
    height = h
    while height > 2 * k and programs * triton.cdiv(h, height) < 2 * _multiprocessors(device):
        height = triton.cdiv(height, 2)
    return height


def _share(blocks: int, device: torch.device) -> int:
    """Programs for each of ``blocks`` blocks of channels, so that all fill the device."""
    return max(1, _WAVES * _multiprocessors(device) // blocks)


def _multiprocessors(device: torch.device) -> int:
    if device.type != 'cuda':
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device) if device.type == 'cuda' else (0, 0)


def _taps(weight: Tensor, x: Tensor) -> tuple[Tensor, bool]:
    """Arrange (C, 1, k, k) weights as the kernel's lanes read them.

    Channels last that is (k * k, C), no copy if the weight is stored that way already.
    """
    channels_last = layout(x) == _CHANNELS_LAST
    flat = weight.flatten(1)
    return (flat.t() if channels_last else flat).contiguous(), channels_last


def _dense(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=layout(x))


def _or(tensor: Tensor | None, stand_in: Tensor) -> Tensor:
    """Hand a kernel some tensor for an argument that it does not read."""
    return stand_in if tensor is None else tensor


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float32, device=like.device)
