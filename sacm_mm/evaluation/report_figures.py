"""What a test says beyond its means: per class, per range of depth, per confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

DEPTH_EDGES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, float('inf'))  # metres
CONFIDENCES = np.linspace(0, 1, 11)


def confusion_of(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Count pairs of classes -> (classes, classes), rows are the truth.

    Args:
        truth: True classes, of any shape; those outside the classes do not count.
        found: Predicted classes, of the same shape.
        classes: Their number.
    """
    truth, found = truth.ravel().astype(np.int64), found.ravel().astype(np.int64)
    counted = (truth >= 0) & (truth < classes) & (found >= 0) & (found < classes)
    pairs = truth[counted] * classes + found[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_rows(confusion: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """Work out the figures of each class, in per cent; None where there is nothing to divide by.

    A class that is predicted and in no truth has an IoU of 0, as in the host's mIoU.

    Args:
        confusion: Counts (classes, classes), rows are the truth.
        names: Names of the classes.

    Returns:
        A row a class: ``class``, ``IoU``, ``Dice``, ``precision``, ``recall``, ``accuracy`` (of
        the class against all others), ``share`` (of what is counted).
    """
    counts = confusion.astype(np.float64)
    hit, true, said, total = np.diag(counts), counts.sum(1), counts.sum(0), counts.sum()
    rows = []
    for i, name in enumerate(names):
        missed, wrong = true[i] - hit[i], said[i] - hit[i]
        rows.append({
            'class': name,
            'IoU': _per_cent(hit[i], true[i] + wrong),
            'Dice': _per_cent(2 * hit[i], true[i] + said[i]),
            'precision': _per_cent(hit[i], said[i]),
            'recall': _per_cent(hit[i], true[i]),
            'accuracy': _per_cent(total - missed - wrong, total),
            'share': _per_cent(true[i], total),
        })  # fmt: skip
    return rows


def mean_iou(confusion: np.ndarray) -> float | None:
    """Return the mean IoU of the classes in truth or prediction, per cent."""
    rows = class_rows(confusion, [''] * len(confusion))
    found = [row['IoU'] for row in rows if row['IoU'] is not None]
    return round(float(np.mean(found)), 2) if found else None


def _per_cent(part: float, whole: float) -> float | None:
    return round(100 * float(part / whole), 2) if whole else None


class DepthRanges:
    """Errors of depth by the range of the true depth, over all pixels that are measured."""

    def __init__(self) -> None:
        self._sums = np.zeros((len(DEPTH_EDGES) - 1, 4))  # pixels, abs rel, squares, within 1.25

    def add(self, truth: np.ndarray, found: np.ndarray) -> float | None:
        """Count a picture (H, W), metres; returns its mean relative error."""
        valid = np.isfinite(truth) & (truth > 0)
        if not valid.any():
            return None
        true = truth[valid].astype(np.float64)
        said = np.maximum(found[valid].astype(np.float64), 1e-6)
        relative = np.abs(said - true) / true
        within = np.maximum(said / true, true / said) < 1.25
        place = np.digitize(true, DEPTH_EDGES[1:-1])
        for column, values in enumerate((np.ones_like(true), relative, (said - true) ** 2, within)):
            self._sums[:, column] += np.bincount(place, values, minlength=len(self._sums))
        return round(float(relative.mean()), 4)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a range that occurs: metres, share of pixels, errors."""
        total = self._sums[:, 0].sum()
        rows = []
        for begin, end, (count, relative, squares, within) in zip(
            DEPTH_EDGES, DEPTH_EDGES[1:], self._sums
        ):
            if count:
                rows.append({
                    'from_m': begin,
                    'to_m': None if np.isinf(end) else end,
                    'share': _per_cent(count, total),
                    'abs_rel': round(relative / count, 4),
                    'rmse_m': round(float(np.sqrt(squares / count)), 4),
                    'within_1.25': _per_cent(within, count),
                })  # fmt: skip
        return rows


def calibration_rows(scores: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """Compare a classifier's confidence with how often it is right, in ten steps."""
    said, hit = np.asarray(scores, float), np.asarray(right, float)
    place = np.clip(np.digitize(said, CONFIDENCES[1:-1]), 0, 9)
    return [
        {
            'from': round(float(CONFIDENCES[i]), 1),
            'to': round(float(CONFIDENCES[i + 1]), 1),
            'pictures': int((place == i).sum()),
            'confidence': _per_cent(said[place == i].sum(), (place == i).sum()),
            'right': _per_cent(hit[place == i].sum(), (place == i).sum()),
        }
        for i in range(10)
        if (place == i).any()
    ]
