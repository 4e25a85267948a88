"""Compiled kernels for CPUs, in C++: ``accelerate`` puts them into a model.

Models know nothing of this package, and nothing here is on unless it is asked for. Whatever a
kernel does not know exactly runs plain.
"""

from typing import Any

__all__ = ['accelerate']


def __getattr__(name: str) -> Any:
    if name != 'accelerate':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from sacm_mm.kernels.accelerating import accelerate

    return accelerate
