"""Pointwise (1x1) convolution of channels-last tensors with bias, GELU and norm in its epilogue."""

import triton
import triton.language as tl

from sacm_mm.kernels.gpu.triton_kernels.gelu import gelu, load_channels


@triton.jit
def pointwise_kernel(
    x_ptr,  # (positions, C)
    weight_ptr,  # (D, C)
    bias_ptr,
    mean_ptr,
    var_ptr,
    gamma_ptr,
    beta_ptr,
    out_ptr,  # (positions, D)
    eps,
    positions,
    C: tl.constexpr,
    D: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    AFFINE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Compute norm(gelu(x @ weight.T + bias)) of BLOCK_M positions and BLOCK_N channels."""
    N_BLOCKS: tl.constexpr = (D + BLOCK_N - 1) // BLOCK_N
    # Blocks of the same positions run side by side: x is read once, the weight stays in the cache.
    m = tl.program_id(0) // N_BLOCKS * BLOCK_M + tl.arange(0, BLOCK_M)
    n = tl.program_id(0) % N_BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    k = tl.arange(0, BLOCK_K)
    x = x_ptr + m.to(tl.int64)[:, None] * C + k[None, :]
    weight = weight_ptr + n[None, :] * C + k[:, None]
    acc = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for k0 in range(0, C, BLOCK_K):
        left = k0 + k < C
        a = tl.load(x, mask=(m < positions)[:, None] & left[None, :], other=0.0)
        b = tl.load(weight, mask=(n < D)[None, :] & left[:, None], other=0.0)
        acc = tl.dot(a, b, acc)
        x += BLOCK_K
        weight += BLOCK_K
    c = n[None, :]
    scale = tl.rsqrt(load_channels(var_ptr, c, c < D, True, 1.0) + eps)
    scale = scale * load_channels(gamma_ptr, c, c < D, AFFINE, 1.0)
    mean = load_channels(mean_ptr, c, c < D, True, 0.0)
    shift = load_channels(beta_ptr, c, c < D, AFFINE, 0.0)
    acc = gelu(acc + load_channels(bias_ptr, c, c < D, HAS_BIAS, 0.0))
    acc = (acc - mean) * scale + shift
    out = out_ptr + m.to(tl.int64)[:, None] * D + c
    tl.store(out, acc.to(out_ptr.dtype.element_ty), mask=(m < positions)[:, None] & (c < D))
