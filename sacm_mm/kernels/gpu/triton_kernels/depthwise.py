"""Depthwise k x k convolution, fused with what stands before and after it in a mixer block.

A program owns BLOCK_C channels of BLOCK_X strips that stand side by side, each COLS pixels wide and
``height`` rows high, and walks down their rows once. The k * k taps of its channels stay in
registers, and so do the sums of the k output rows that an input row adds to, so every input value
is loaded and converted (COLS + k - 1) / COLS times, instead of the k * k times it is used.

Channels-last tensors put the lanes of a warp side by side in the channels, contiguous ones in the
columns; the rest is the same code. Pixels outside the image read as zero.
"""

import triton
import triton.language as tl

from sacm_mm.kernels.gpu.triton_kernels.gelu import gelu, load_channels
from sacm_mm.kernels.gpu.triton_kernels.statistics import merge, store_statistics

EVAL = tl.constexpr(0)  # out = x + norm(gelu(conv(x))), fixed statistics
TRAIN = tl.constexpr(1)  # out = conv(x), and the statistics of its gelu
GRAD = tl.constexpr(2)  # out = residual + transposed conv(x)


@triton.jit
def depthwise_kernel(
    x_ptr,
    taps_ptr,  # channels last: (k * k, C), else (C, k * k)
    bias_ptr,
    residual_ptr,
    mean_ptr,
    var_ptr,
    gamma_ptr,
    beta_ptr,
    out_ptr,
    parts_ptr,  # (3, strips, C): count, mean, squared deviations
    eps,
    H,
    W,
    height,
    strips_y,
    strips_x,
    strips,
    C: tl.constexpr,
    K: tl.constexpr,
    MODE: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    AFFINE: tl.constexpr,
    COLS: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_X: tl.constexpr,
    UNROLL: tl.constexpr,
):
    """Convolve one group of strips; see the module and the modes."""
    P: tl.constexpr = K // 2
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    index = tl.program_id(0) // C_BLOCKS
    top = (index // strips_x) % strips_y * height
    bottom = tl.minimum(top + height, H)
    x0 = (index % strips_x * BLOCK_X + tl.arange(0, BLOCK_X)[None, :]) * COLS
    c = (tl.program_id(0) % C_BLOCKS) * BLOCK_C + tl.arange(0, BLOCK_C)[:, None]
    pixel = C if CHANNELS_LAST else 1
    at = x0 * pixel + c * (1 if CHANNELS_LAST else H * W)
    row = W * pixel
    image = tl.cast(index // (strips_y * strips_x), tl.int64) * C * H * W

    lanes = c + x0 * 0  # every lane's channel
    inside = lanes < C
    taps = _load_taps(taps_ptr, lanes, inside, C, K, CHANNELS_LAST, MODE == GRAD)
    bias = load_channels(bias_ptr, lanes, inside, HAS_BIAS, 0.0)
    if MODE == EVAL:
        scale = tl.rsqrt(load_channels(var_ptr, lanes, inside, True, 1.0) + eps)
        scale = scale * load_channels(gamma_ptr, lanes, inside, AFFINE, 1.0)
        shift = load_channels(beta_ptr, lanes, inside, AFFINE, 0.0)
        shift = shift - scale * load_channels(mean_ptr, lanes, inside, True, 0.0)
    count = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
    mean = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
    m2 = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
    fresh = ()
    for _ in tl.static_range(COLS):
        fresh = fresh + (bias,)
    acc = ()  # output rows y - P to y + P, COLS each
    for _ in tl.static_range(K):
        acc = acc + fresh

    for y in tl.range(tl.maximum(top - P, 0), bottom + P, loop_unroll_factor=UNROLL):
        if y < H:
            line = x_ptr + image + tl.cast(y, tl.int64) * row + at
            for j in tl.static_range(COLS + K - 1):
                ok = (x0 + (j - P) >= 0) & (x0 + (j - P) < W) & inside
                value = tl.load(line + (j - P) * pixel, mask=ok, other=0.0).to(tl.float32)
                acc = _add_products(value, taps, acc, j, K, COLS)
        if y >= top + P:
            line = image + tl.cast(y - P, tl.int64) * row + at
            total = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
            filled = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
            activations = ()
            for s in tl.static_range(COLS):
                ok = (x0 + s < W) & inside
                where = line + s * pixel
                u = acc[s]
                if MODE == EVAL:
                    u = gelu(u) * scale + shift
                    u += tl.load(x_ptr + where, mask=ok, other=0.0).to(tl.float32)
                elif MODE == GRAD:
                    u += tl.load(residual_ptr + where, mask=ok, other=0.0).to(tl.float32)
                out = u.to(out_ptr.dtype.element_ty)
                tl.store(out_ptr + where, out, mask=ok)
                if MODE == TRAIN:
                    # of the rounded value, which is what the other passes read
                    a = gelu(out.to(tl.float32))
                    activations = activations + (a,)
                    total += tl.where(ok, a, 0.0)
                    filled += ok.to(tl.float32)
            if MODE == TRAIN:
                middle = total / tl.maximum(filled, 1.0)
                squares = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
                for s in tl.static_range(COLS):
                    d = tl.where((x0 + s < W) & inside, activations[s] - middle, 0.0)
                    squares += d * d
                count, mean, m2 = merge(count, mean, m2, filled, middle, squares)
        acc = acc[COLS:] + fresh
    if MODE == TRAIN:
        store_statistics(parts_ptr, index, strips, count, mean, m2, c, C, BLOCK_C, 1)


@triton.jit
def _load_taps(
    ptr, c, ok, C: tl.constexpr, K: tl.constexpr, TRANSPOSED: tl.constexpr, FLIP: tl.constexpr
):
    """Load the taps of channels ``c`` as a tuple of k * k tiles."""
    taps = ()
    for t in tl.static_range(K * K):
        tap = K * K - 1 - t if FLIP else t
        at = ptr + tap * C + c if TRANSPOSED else ptr + c * (K * K) + tap
        taps = taps + (tl.load(at, mask=ok, other=0.0).to(tl.float32),)
    return taps


@triton.jit
def _add_products(value, taps, acc, j: tl.constexpr, K: tl.constexpr, COLS: tl.constexpr):
    """Add column j of an input row to the sums (row, column) of the outputs that it belongs to."""
    out = ()
    for q in tl.static_range(K):
        for s in tl.static_range(COLS):
            if (j >= s) and (j < s + K):
                tap = taps[(K - 1 - q) * K + j - s]
                out = out + (tl.fma(value, tap, acc[q * COLS + s]),)
            else:
                out = out + (acc[q * COLS + s],)
    return out


@triton.jit
def depthwise_weight_grad_kernel(
    x_ptr,
    grad_ptr,
    parts_ptr,  # (parts, k * k, C)
    H,
    W,
    strips_x,
    strips,
    parts,
    C: tl.constexpr,
    K: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    COLS: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_X: tl.constexpr,
    UNROLL: tl.constexpr,
):
    """Sum grad * shifted x over every ``parts``-th group of strips.

    The k * k sums stay in registers, and so do the k rows of the gradient that a row of x meets.
    """
    P: tl.constexpr = K // 2
    C_BLOCKS: tl.constexpr = (C + BLOCK_C - 1) // BLOCK_C
    part = tl.program_id(0) // C_BLOCKS
    c = (tl.program_id(0) % C_BLOCKS) * BLOCK_C + tl.arange(0, BLOCK_C)[:, None]
    pixel = C if CHANNELS_LAST else 1
    row = W * pixel
    zero = tl.zeros([BLOCK_C, BLOCK_X], tl.float32)
    sums = ()
    for _ in tl.static_range(K * K):
        sums = sums + (zero,)

    for strip in range(part, strips, parts):
        x0 = (strip % strips_x * BLOCK_X + tl.arange(0, BLOCK_X)[None, :]) * COLS
        at = x0 * pixel + c * (1 if CHANNELS_LAST else H * W)
        image = tl.cast(strip // strips_x, tl.int64) * C * H * W
        inside = (c + x0 * 0) < C
        rows = x0 * 0 + H  # a tensor, for masks
        grads = ()  # rows y - P to y + P, COLS each
        for _ in tl.static_range((P + 1) * COLS):
            grads = grads + (zero,)
        for q in tl.static_range(P):
            ok = inside & (q < rows)
            line = grad_ptr + image + q * row + at
            grads = grads + _load_row(line, x0, W, ok, pixel, COLS)
        for y in tl.range(0, H, loop_unroll_factor=UNROLL):
            ok = inside & (y + P < rows)
            line = grad_ptr + image + tl.cast(y + P, tl.int64) * row + at
            grads = grads[COLS:] + _load_row(line, x0, W, ok, pixel, COLS)
            line = x_ptr + image + tl.cast(y, tl.int64) * row + at
            for j in tl.static_range(COLS + K - 1):
                ok = (x0 + (j - P) >= 0) & (x0 + (j - P) < W) & inside
                value = tl.load(line + (j - P) * pixel, mask=ok, other=0.0).to(tl.float32)
                sums = _collect_products(value, grads, sums, j, K, COLS)
    flat = tl.reshape(c, [BLOCK_C])
    for t in tl.static_range(K * K):
        at = parts_ptr + (part * (K * K) + t) * C + flat
        tl.store(at, tl.sum(sums[t], 1), mask=flat < C)


@triton.jit
def _load_row(line, x0, W, ok, pixel: tl.constexpr, COLS: tl.constexpr):
    out = ()
    for s in tl.static_range(COLS):
        inside = ok & (x0 + s < W)
        out = out + (tl.load(line + s * pixel, mask=inside, other=0.0).to(tl.float32),)
    return out


@triton.jit
def _collect_products(value, grads, sums, j: tl.constexpr, K: tl.constexpr, COLS: tl.constexpr):
    """Add the products of column j of a row of x with the gradients around it to their taps."""
    out = ()
    for ky in tl.static_range(K):
        for kx in tl.static_range(K):
            if (j >= kx) and (j - kx < COLS):
                grad = grads[(K - 1 - ky) * COLS + j - kx]
                out = out + (tl.fma(value, grad, sums[ky * K + kx]),)
            else:
                out = out + (sums[ky * K + kx],)
    return out
