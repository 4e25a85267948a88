"""GELU followed by batch norm, forward and backward, each tensor read and written once a pass.

A tensor is ``images`` times ``pixels`` positions of C channels: contiguous (N, C, H, W) has N
images of H * W pixels, channels-last memory one image of N * H * W. A tile is BLOCK_P pixels of
BLOCK_C channels; programs of the passes that reduce take every ``parts``-th tile, and keep a sum a
lane until the end, so the order of the sums is fixed.
"""

import triton
import triton.language as tl

from sacm_mm.kernels.gpu.triton_kernels.gelu import gelu, gelu_and_slope, load_channels
from sacm_mm.kernels.gpu.triton_kernels.statistics import store_statistics


@triton.jit
def _tile(
    tile,
    c,
    pixels,
    C: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    """Return where a tile starts, the offsets in it, and which of them exist."""
    tiles = (pixels + BLOCK_P - 1) // BLOCK_P  # of an image
    first = tile % tiles * BLOCK_P
    p = tl.arange(0, BLOCK_P)[:, None]
    ok = (first + p < pixels) & (c < C)
    start = tl.cast(tile // tiles, tl.int64) * C * pixels
    if CHANNELS_LAST:
        return start + tl.cast(first, tl.int64) * C, p * C + c, ok
    return start + first, p + c * pixels, ok


@triton.jit
def normalize_kernel(
    x_ptr,
    bias_ptr,
    residual_ptr,
    mean_ptr,
    var_ptr,
    gamma_ptr,
    beta_ptr,
    out_ptr,
    eps,
    pixels,
    C: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    RESIDUAL: tl.constexpr,
    AFFINE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Compute out = [residual +] norm(gelu(x [+ bias])) of one tile."""
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    c = tl.program_id(0) % C_BLOCKS * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    start, at, ok = _tile(tl.program_id(0) // C_BLOCKS, c, pixels, C, CHANNELS_LAST, BLOCK_P)
    scale = tl.rsqrt(load_channels(var_ptr, c, c < C, True, 1.0) + eps)
    scale = scale * load_channels(gamma_ptr, c, c < C, AFFINE, 1.0)
    mean = load_channels(mean_ptr, c, c < C, True, 0.0)
    shift = load_channels(beta_ptr, c, c < C, AFFINE, 0.0)
    u = tl.load(x_ptr + start + at, mask=ok, other=0.0).to(tl.float32)
    u += load_channels(bias_ptr, c, c < C, HAS_BIAS, 0.0)
    out = (gelu(u) - mean) * scale + shift
    if RESIDUAL:
        out += tl.load(residual_ptr + start + at, mask=ok, other=0.0).to(tl.float32)
    tl.store(out_ptr + start + at, out.to(out_ptr.dtype.element_ty), mask=ok)


@triton.jit
def statistics_kernel(
    x_ptr,
    bias_ptr,
    parts_ptr,  # (3, parts, C): count, mean, squared deviations
    pixels,
    tiles,
    parts,
    C: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Gather the statistics of gelu(x [+ bias]) by Welford's update."""
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) // C_BLOCKS
    c = tl.program_id(0) % C_BLOCKS * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    bias = load_channels(bias_ptr, c, c < C, HAS_BIAS, 0.0)
    seen = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    mean = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    m2 = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for tile in range(part, tiles, parts):
        start, at, ok = _tile(tile, c, pixels, C, CHANNELS_LAST, BLOCK_P)
        a = gelu(tl.load(x_ptr + start + at, mask=ok, other=0.0).to(tl.float32) + bias)
        seen += ok.to(tl.float32)
        d = tl.where(ok, a - mean, 0.0)
        mean += d / tl.maximum(seen, 1.0)
        m2 += d * (a - mean)
    store_statistics(parts_ptr, part, parts, seen, mean, m2, c, C, BLOCK_C, 0)


@triton.jit
def gradient_sums_kernel(
    dy_ptr,
    x_ptr,
    bias_ptr,
    mean_ptr,
    parts_ptr,  # (parts, 2, C)
    pixels,
    tiles,
    parts,
    C: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Sum dy and dy * (a - mean) over the positions, for a = gelu(x [+ bias])."""
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) // C_BLOCKS
    c = tl.program_id(0) % C_BLOCKS * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    bias = load_channels(bias_ptr, c, c < C, HAS_BIAS, 0.0)
    mean = load_channels(mean_ptr, c, c < C, True, 0.0)
    total = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    weighted = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for tile in range(part, tiles, parts):
        start, at, ok = _tile(tile, c, pixels, C, CHANNELS_LAST, BLOCK_P)
        dy = tl.load(dy_ptr + start + at, mask=ok, other=0.0).to(tl.float32)
        u = tl.load(x_ptr + start + at, mask=ok, other=0.0).to(tl.float32) + bias
        total += dy
        weighted += dy * (gelu(u) - mean)
    c = tl.reshape(c, [BLOCK_C])
    at = parts_ptr + part * (2 * C) + c
    tl.store(at, tl.sum(total, 0), mask=c < C)
    tl.store(at + C, tl.sum(weighted, 0), mask=c < C)


@triton.jit
def gradient_kernel(
    dy_ptr,
    x_ptr,
    bias_ptr,
    mean_ptr,
    var_ptr,
    gamma_ptr,
    sums_ptr,  # (2, C), of gradient_sums_kernel
    out_ptr,
    parts_ptr,  # (parts, C): sums of the result, the gradient of a bias
    eps,
    share,  # 1 / positions
    pixels,
    tiles,
    parts,
    C: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    AFFINE: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Compute the gradient of x through norm and GELU, and sum it over the positions."""
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) // C_BLOCKS
    c = tl.program_id(0) % C_BLOCKS * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    bias = load_channels(bias_ptr, c, c < C, HAS_BIAS, 0.0)
    mean = load_channels(mean_ptr, c, c < C, True, 0.0)
    rstd = tl.rsqrt(load_channels(var_ptr, c, c < C, True, 1.0) + eps)
    scale = rstd * load_channels(gamma_ptr, c, c < C, AFFINE, 1.0)
    average = load_channels(sums_ptr, c, c < C, True, 0.0) * share
    slope = load_channels(sums_ptr + C, c, c < C, True, 0.0) * share * rstd * rstd
    total = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for tile in range(part, tiles, parts):
        start, at, ok = _tile(tile, c, pixels, C, CHANNELS_LAST, BLOCK_P)
        dy = tl.load(dy_ptr + start + at, mask=ok, other=0.0).to(tl.float32)
        u = tl.load(x_ptr + start + at, mask=ok, other=0.0).to(tl.float32) + bias
        a, da = gelu_and_slope(u)
        dx = scale * (dy - average - slope * (a - mean)) * da
        tl.store(out_ptr + start + at, dx.to(out_ptr.dtype.element_ty), mask=ok)
        total += tl.where(ok, dx, 0.0)
    c = tl.reshape(c, [BLOCK_C])
    tl.store(parts_ptr + part * C + c, tl.sum(total, 0), mask=c < C)
