"""Per-channel mean and variance in two deterministic stages, without cancellation.

Every lane keeps count, mean and the sum of squared deviations of what it saw; these are merged
within a program, stored as one partial, and the partials are merged in a fixed order.
"""

import triton
import triton.language as tl


@triton.jit
def merge(count, mean, m2, n, m, s):
    """Merge two samples' size, mean and sum of squared deviations (Chan et al., 1979)."""
    total = count + n
    delta = m - mean
    share = n / tl.maximum(total, 1.0)
    return total, mean + delta * share, m2 + s + delta * delta * count * share


@triton.jit
def store_statistics(
    parts_ptr,  # (3, parts, C)
    index,
    parts,
    count,
    mean,
    m2,
    c,
    C: tl.constexpr,
    BLOCK_C: tl.constexpr,
    AXIS: tl.constexpr,
):
    """Merge one axis of two-dimensional statistics and store them as partial ``index``."""
    size = tl.sum(count, AXIS)
    middle = tl.sum(count * mean, AXIS) / tl.maximum(size, 1.0)
    d = mean - tl.expand_dims(middle, AXIS)
    squares = tl.sum(m2 + count * d * d, AXIS)
    c = tl.reshape(c, [BLOCK_C])
    at = parts_ptr + index * C + c
    tl.store(at, size, mask=c < C)
    tl.store(at + parts * C, middle, mask=c < C)
    tl.store(at + parts * (2 * C), squares, mask=c < C)


@triton.jit
def merge_statistics_kernel(
    parts_ptr,  # (3, parts, C)
    mean_ptr,
    var_ptr,  # biased
    parts,
    C: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Merge all partials of BLOCK_C channels."""
    c = tl.program_id(0) * BLOCK_C + tl.arange(0, BLOCK_C)[None, :]
    p = tl.arange(0, BLOCK_P)[:, None]
    count = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    mean = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    m2 = tl.zeros([BLOCK_P, BLOCK_C], tl.float32)
    for start in range(0, parts, BLOCK_P):
        ok = (start + p < parts) & (c < C)
        at = parts_ptr + (start + p) * C + c
        n = tl.load(at, mask=ok, other=0.0)
        m = tl.load(at + parts * C, mask=ok, other=0.0)
        s = tl.load(at + parts * (2 * C), mask=ok, other=0.0)
        count, mean, m2 = merge(count, mean, m2, n, m, s)
    size = tl.sum(count, 0)
    middle = tl.sum(count * mean, 0) / tl.maximum(size, 1.0)
    d = mean - middle[None, :]
    squares = tl.sum(m2 + count * d * d, 0)
    c = tl.reshape(c, [BLOCK_C])
    tl.store(mean_ptr + c, middle, mask=c < C)
    tl.store(var_ptr + c, squares / tl.maximum(size, 1.0), mask=c < C)
