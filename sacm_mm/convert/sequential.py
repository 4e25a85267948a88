"""The authors' CIFAR-10 network, a plain ``nn.Sequential`` that begins with a pixel unshuffle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sacm_mm.convert import classifier
from sacm_mm.convert.classifier import Places


def places(depth: int, first: int = 1) -> Places:
    """Return the numbers of the modules that have weights.

    Projection, activation, norm, the blocks, pooling, flattening, linear layer; ``first`` counts
    what stands before them.
    """
    blocks = tuple(f'{first + 3 + i}' for i in range(depth))
    return Places(f'{first}', f'{first + 2}', blocks, f'{first + depth + 5}')


def load(
    tensors: Mapping[str, Tensor], depth: int, path: Path
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Convert the tensors of a file with ``depth`` blocks."""
    return classifier.load(tensors, places(depth), path)
