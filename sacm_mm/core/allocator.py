"""Tell glibc's allocator what to do with large blocks that are freed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_M_TRIM_THRESHOLD = -1  # of malloc.h
_M_MMAP_THRESHOLD = -3
_OWN_MOST = 2**25  # the largest threshold that glibc comes to by itself


def keep_freed_blocks() -> None:
    """Keep what this process frees, for the next step asks for blocks of the same sizes.

    By itself glibc hands each block of 32 MiB or more back to the system when it is freed, and has
    to be given every page of the next one anew: up to half of a training step on a CPU. The most
    that the process needs at a time stays with it until it ends.
    """
    _set(_M_TRIM_THRESHOLD, 2**31 - 1)
    _set(_M_MMAP_THRESHOLD, 2**30)


@contextmanager
def hand_back_freed_blocks() -> Iterator[None]:
    """Hand every freed block of this process back at once.

    Then resident pages are those in use, and a peak of them is exact; without it glibc keeps some
    blocks and not others. It is slow: nothing may be timed inside.
    """
    _set(_M_MMAP_THRESHOLD, 2**16)
    try:
        yield
    finally:
        _set(_M_MMAP_THRESHOLD, _OWN_MOST)


def release_freed_blocks() -> None:
    """Hand freed memory back to the system now: a call that reuses it would seem to need none."""
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def _set(what: int, size: int) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(what, size)
