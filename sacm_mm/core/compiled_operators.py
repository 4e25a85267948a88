"""mmcv's compiled operators, made to take tensors of any memory format when this is imported.

They read and write memory as if every tensor were contiguous: RoIAlign gives other values for a
channels-last map, and says nothing; a deformable convolution refuses it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

try:
    import mmcv._ext as operators
except ImportError:  # an mmcv without them
    operators = None


def take_any_format(operator: Callable) -> Callable:
    """Hand contiguous copies to an operator, and copy back what it wrote into them."""

    @wraps(operator)
    def call(*args: Any, **kwargs: Any) -> Any:
        copies: list[tuple[torch.Tensor, torch.Tensor]] = []

        def contiguous(value: Any) -> Any:
            if not isinstance(value, torch.Tensor) or value.is_contiguous():
                return value
            copies.append((value, value.contiguous()))
            return copies[-1][1]

        named = {key: contiguous(value) for key, value in kwargs.items()}
        result = operator(*map(contiguous, args), **named)
        for given, copy in copies:
            if not torch.equal(given, copy):  # an expanded one is only read, and takes no writing
                given.data.copy_(copy)  # autograd may need what is only read, and counts writings
        return result

    return call


for _name, _operator in list(vars(operators).items()) if operators else ():
    if callable(_operator) and not _name.startswith('_'):
        setattr(operators, _name, take_any_format(_operator))
