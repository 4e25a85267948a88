"""Classes as colours, and the legend of them."""

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.patches import Patch

from sacm_mm.core.labels import IGNORE_INDEX

VOID_COLOUR = (255, 255, 255)


def colourise(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Paint labels (H, W), integers -> RGB uint8 (H, W, 3); those outside the palette are white."""
    number = 1 + max(len(palette), int(labels.max(initial=0)))
    colours = np.full((number, 3), VOID_COLOUR, dtype=np.uint8)
    colours[: len(palette)] = np.asarray(palette, dtype=np.uint8).reshape(-1, 3)
    return colours[labels]  # without another copy: they may be of a huge picture


def class_legend(
    seen: Collection[int], classes: Sequence[str], palette: Sequence[Sequence[int]]
) -> list[Patch]:
    """Make legend entries of the labels that were seen; 255 is void."""
    entries = [
        Patch(
            facecolor='#{:02x}{:02x}{:02x}'.format(*palette[i]), edgecolor='0.4', label=classes[i]
        )
        for i in sorted(seen)
        if i < len(classes)
    ]
    if IGNORE_INDEX in seen:
        entries.append(Patch(facecolor='white', edgecolor='0.4', label='void (not counted)'))
    return entries
