"""Depth in 16-bit PNGs: values are metres times a scale that stands beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sacm_mm.core.files import fit_integers, write_image, write_json

if TYPE_CHECKING:
    import numpy as np

SCALE_FILE = 'depth.json'
MILLIMETRES = 1000.0
_SCALES = (MILLIMETRES, 256.0, 100.0, 10.0, 1.0)  # 256 is KITTI's, up to 255.99 m
_LIMIT = 2**16 - 1


def depth_scale(max_depth: float | None) -> float:
    """Choose what metres are multiplied by: millimetres where they fit, else the next coarser.

    Args:
        max_depth: The largest depth that can occur, in metres; None where nothing bounds it.
    """
    if max_depth is None:
        return _SCALES[1]
    return next((scale for scale in _SCALES if scale * max_depth <= _LIMIT), _SCALES[-1])


def write_depth(depth: np.ndarray, path: Path, scale: float) -> None:
    """Write (H, W), metres, as a 16-bit PNG.

    Raises:
        UserError: A value is negative, not finite or too large for the scale.
    """
    import numpy as np

    limit = _LIMIT / scale
    name = f"depth for '{path}' (metres times {scale:g}, up to {limit:.1f} m)"
    write_image(fit_integers(depth.astype(np.float64) * scale, np.uint16, name), path)


def write_scale(folder: Path, scale: float) -> None:
    """Write what the values of a folder's PNGs mean."""
    write_json({'scale': scale, 'metres': 'value / scale', 'no depth': 0}, folder / SCALE_FILE)
