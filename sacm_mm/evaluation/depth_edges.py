"""How well depth steps are kept: where the edges of a predicted map lie.

Source: depth boundary errors of Koch et al., "Evaluation of CNN-based single-image depth estimation
methods" (iBims-1), 2018, as its authors' script computes them. There the true edges are drawn by
hand; here they are found in the true depth by the filter that finds those of a prediction.
"""

import math

import cv2
import numpy as np

EDGE_FIGURES = ('edge_acc', 'edge_comp')
_FAR = 10.0  # pixels: edges farther than this are other edges
_SIGMA = math.sqrt(2)  # of the smoothing, in pixels
_THRESHOLDS = (0.15, 0.3)  # of the Sobel gradient of depth between 0 and 1
_INTEGERS = 2000  # OpenCV takes gradients of 16 bits; they are below 4 * sqrt(2)


def depth_edges(depth: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Find the edges of depth (H, W) by Canny's filter, as booleans (H, W).

    Depth is scaled to 0..1 first, so that its unit does not count.

    Args:
        depth: In any unit.
        valid: Where it is known, booleans (H, W); elsewhere the nearest known depth stands in, and
            there are no edges. None: everywhere.
    """
    depth = depth.astype(np.float32)
    if valid is not None:
        depth = _filled(depth, valid)
    span = float(depth.max() - depth.min())
    if span == 0:
        return np.zeros(depth.shape, bool)
    smooth = cv2.GaussianBlur((depth - depth.min()) / span, (0, 0), _SIGMA)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order) * _INTEGERS for order in ((1, 0), (0, 1)))
    low, high = (threshold * _INTEGERS for threshold in _THRESHOLDS)
    edges = cv2.Canny(dx.astype(np.int16), dy.astype(np.int16), low, high, L2gradient=True) > 0
    return edges if valid is None else edges & valid


def edge_errors(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float] | None:
    """Return accuracy and completeness in pixels, 0 to 10 and lower the better.

    Accuracy is the mean distance to the nearest true edge of the predicted edge pixels that have
    one within 10 pixels. Completeness is the mean distance of all edge pixels, predicted and true,
    to the nearest of the other kind, 10 at most: what is missed or made up counts 10.

    Args:
        predicted: Edges as booleans (H, W).
        true: Likewise.

    Returns:
        Both, 10 and 10 without a predicted edge that is near a true one; or None without true
        edges, when there is nothing to find.
    """
    if not true.any():
        return None
    to_true = _distances(true)[predicted]
    near = to_true[to_true < _FAR]
    if not near.size:
        return _FAR, _FAR
    both = np.concatenate([to_true, _distances(predicted)[true]])
    return float(near.mean()), float(np.minimum(both, _FAR).mean())


def _distances(edges: np.ndarray) -> np.ndarray:
    """Measure from each pixel to the nearest edge pixel, in pixels."""
    elsewhere = (~edges).astype(np.uint8)
    return cv2.distanceTransform(elsewhere, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _filled(depth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Give unknown pixels the depth of the nearest known one."""
    if valid.all() or not valid.any():
        return np.where(valid, depth, 0)
    _, nearest = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(nearest.max() + 1, np.float32)
    of_label[nearest[valid]] = depth[valid]
    return of_label[nearest]
