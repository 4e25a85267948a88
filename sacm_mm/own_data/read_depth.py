"""Read photos and depth frames, in whatever unit and form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import read_picture

from .pairing import existing_folder, pair_folders
from .samples import Sample, Source

_METRES = {'mm': 1e-3, 'cm': 1e-2, 'm': 1.0}
_MOST_METRES = 600.0  # what 16 bits hold in centimetres, with room
_LEAST_METRES = 1e-3


@dataclass(frozen=True)
class DepthUnit:
    """What a step of a depth file means.

    Attributes:
        name: ``'mm'``, ``'cm'``, ``'m'``, ``'disparity'``, or the metres of a step.
        focal_baseline: Focal length in pixels times baseline in metres, which turns disparity
            into metres.
    """

    name: str
    focal_baseline: float | None = None

    def metres(self, values: np.ndarray) -> np.ndarray:
        """Turn what a file holds into metres (H, W), float32; 0 where nothing was measured.

        Disparity without ``focal_baseline`` stays in pixels.
        """
        values = values.astype(np.float32)
        values = np.where(np.isfinite(values) & (values > 0), values, 0)
        if self.name == 'disparity':
            if self.focal_baseline is None:
                return values
            depth = np.zeros_like(values)
            np.divide(np.float32(self.focal_baseline), values, out=depth, where=values > 0)
            return depth
        return values * np.float32(self.step)

    @property
    def step(self) -> float:
        """Metres of a step; 1 for disparity."""
        if self.name == 'disparity':
            return 1.0
        return _METRES.get(self.name) or float(self.name)

    @property
    def is_metric(self) -> bool:
        """Whether the result is in metres."""
        return self.name != 'disparity' or self.focal_baseline is not None


def parse_unit(text: str, focal_baseline: float | None = None) -> DepthUnit:
    """Read ``--unit``.

    Raises:
        UserError: It is none, or does not go with ``focal_baseline``.
    """
    if text not in (*_METRES, 'disparity'):
        try:
            step = float(text)
        except ValueError:
            step = 0.0
        if not 0 < step < 1e3:
            raise UserError(
                f"--unit '{text}' is none: give mm, cm, m, disparity, or the metres of a step, "
                'such as 0.00390625'
            )
    if focal_baseline is not None and (text != 'disparity' or not focal_baseline > 0):
        raise UserError('--focal-baseline is positive and goes with --unit disparity alone')
    return DepthUnit(text, focal_baseline)


def read_depth(photos: Path, depths: Path, pattern: str | None = None) -> Source:
    """Read photos with depth frames of the same or similar names.

    Args:
        photos: Folder of the photos.
        depths: Folder of the depth frames: 16-bit PNG or TIFF, float TIFF, or .npy.
        pattern: How a frame is named, such as ``depth_{id}.png``; None finds out.

    Raises:
        UserError: A folder is missing, or nothing fits.
    """
    existing_folder(photos, 'photos')
    existing_folder(depths, 'depth')
    if photos.resolve() == depths.resolve():
        raise UserError(f"photos and depth are both in '{photos}': put them into two folders")
    pairs = pair_folders(photos, depths, 'depth frame', pattern)
    samples = [Sample(name, picture, depth=depth) for name, picture, depth in pairs.found]
    return Source('depth', samples, [], pairs.notes, pairs.warnings)


def read_depth_frame(path: Path, unit: DepthUnit) -> np.ndarray:
    """Read a depth frame (H, W), float32, metres, or pixels of disparity; 0 is invalid.

    Not measured is what is 0, negative or not finite, and 65535 of 16 bits: cameras write it for
    that, or for all that is farther.

    Raises:
        UserError: It cannot be read, has several channels or 8 bits, or its depths cannot be.
    """
    picture = read_picture(path)
    if picture.shape[2] != 1:
        raise UserError(
            f"depth frame '{path}' has {picture.shape[2]} channels: it must be one channel of "
            'numbers, not colours of a display'
        )
    if picture.dtype == np.uint8:
        raise UserError(
            f"depth frame '{path}' has 8 bits, which are too few for depth: export 16 bits"
        )
    depth = unit.metres(picture[..., 0])
    if picture.dtype == np.uint16:
        depth[picture[..., 0] == np.iinfo(np.uint16).max] = 0
    valid = depth[depth > 0]
    if unit.is_metric and valid.size:
        median = float(np.median(valid))
        if not _LEAST_METRES * 10 < median < _MOST_METRES:
            raise UserError(
                f"depth frame '{path}' has a median of {median:g} m with --unit {unit.name}: "
                f'{_guess_unit(median)}'
            )
    return depth


def _guess_unit(median: float) -> str:
    for unit, factor in (('mm', 1e-3), ('m', 1e3)):
        if 0.2 < median * factor < 100:
            return f'it would be {median * factor:.2g} m with --unit {unit}'
    return 'give the unit of its steps'
