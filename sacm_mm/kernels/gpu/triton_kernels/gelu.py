"""GELU by the error function, its derivative, and channel vectors, in float32.

The error function is Abramowitz and Stegun's formula 7.1.26, whose absolute error of 1.5e-7 is that
of float32 near one. Its exponential is also the one in GELU's derivative, and it costs a third of
the instructions of the library's function, which counts: the depthwise kernels are close to the
limit of the arithmetic units too.
"""

import triton
import triton.language as tl


@triton.jit
def _normal(u):
    """Return the standard normal distribution function and exp(-u^2 / 2)."""
    t = 1.0 / (1.0 + 0.3275911 * 0.7071067811865476 * tl.abs(u))
    tail = tl.exp2(u * u * (-0.5 * 1.4426950408889634))
    poly = 1.061405429 * t - 1.453152027
    poly = poly * t + 1.421413741
    poly = poly * t - 0.284496736
    poly = poly * t + 0.254829592
    upper = 0.5 * poly * t * tail  # 1 - Phi(|u|)
    return tl.where(u < 0, upper, 1.0 - upper), tail


@triton.jit
def gelu(u):
    """Compute ``u * Phi(u)`` for the standard normal distribution function Phi."""
    phi, _ = _normal(u)
    return u * phi


@triton.jit
def gelu_and_slope(u):
    """Compute GELU and its derivative ``Phi(u) + u * Phi'(u)``."""
    phi, tail = _normal(u)
    return u * phi, phi + u * (0.3989422804014327 * tail)


@triton.jit
def load_channels(ptr, c, ok, PRESENT: tl.constexpr, default: tl.constexpr):
    """Load one value a channel as float32, or the default where there is no such tensor."""
    if PRESENT:
        out = tl.load(ptr + c, mask=ok, other=0.0).to(tl.float32)
    else:
        out = tl.full(c.shape, default, tl.float32)
    return out
