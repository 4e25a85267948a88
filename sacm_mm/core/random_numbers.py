"""The state of all generators of random numbers on the CPU, to be taken and put back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def random_state() -> tuple[Any, ...]:
    """Return the state of the generators of Python, NumPy and PyTorch."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def set_random_state(state: tuple[Any, ...]) -> None:
    """Put back what ``random_state`` returned."""
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])


def has_drawn(before: tuple[Any, ...]) -> bool:
    """Tell whether a number was drawn since ``random_state`` returned ``before``."""
    now = random_state()
    numpy_same = all(np.array_equal(a, b) for a, b in zip(before[1], now[1]))
    return not (before[0] == now[0] and numpy_same and torch.equal(before[2], now[2]))
