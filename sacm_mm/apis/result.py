"""What a model says of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_image
from sacm_mm.visualization.class_colours import colourise
from sacm_mm.visualization.depth import DepthPicture, DepthStyle, draw_picture
from sacm_mm.visualization.overlay import add_legend, count_labels, draw_overlay


@dataclass
class Result:
    """The prediction for one picture; what a model does not predict is None.

    Attributes:
        image: The picture, (H, W, 3), BGR uint8.
        names: Names of the classes.
        palette: RGB of each class, 0 to 255; empty for classifiers.
        task: ``'classification'``, ``'multilabel'``, ``'segmentation'``, ``'depth'`` or
            ``'joint'``.
        classes: Class of each pixel, (H, W).
        depth: Metres, (H, W), float32.
        labels: The classes of a picture, by a model that may say several.
    """

    image: np.ndarray
    names: Sequence[str]
    palette: Sequence[Sequence[int]]
    task: str
    classes: np.ndarray | None = None
    depth: np.ndarray | None = None
    labels: Sequence[str] | None = None
    style: DepthStyle = field(default_factory=DepthStyle, repr=False)
    # scores before they are asked for: logits or, of one logit, the probability (C, H, W)
    _maps: Tensor | None = field(default=None, repr=False)
    _class_scores: np.ndarray | None = field(default=None, repr=False)

    @cached_property
    def scores(self) -> np.ndarray | None:
        """Probability of each class: (C,) of a picture, (C, H, W) of its pixels; float32."""
        if self._class_scores is not None:
            return self._class_scores
        if self._maps is None:
            return None
        maps = self._maps.float()
        if len(maps) == 1:  # one logit, which the host has turned into a probability
            foreground = maps[0].numpy()
            return np.stack([1 - foreground, foreground]) if len(self.names) == 2 else maps.numpy()
        return maps.softmax(dim=0).numpy()

    @property
    def label(self) -> str | None:
        """The most likely class of a picture; None for models that say a class of each pixel."""
        if self._class_scores is None:
            return None
        return self.names[int(self._class_scores.argmax())]

    @property
    def _bgr(self) -> list[list[int]]:
        return [list(colour)[::-1] for colour in self.palette]

    def draw(self, opacity: float = 0.5, legend: bool = False) -> np.ndarray:
        """Draw the prediction -> (h, w, 3), BGR uint8.

        Classes become an overlay, depth stands beside the picture with its scale, a classifier's
        best five are bars.

        Args:
            opacity: Of an overlay: 0 shows the picture alone, 1 the classes alone.
            legend: Add the names of the classes that occur below an overlay.
        """
        if self.classes is not None and self.depth is None:
            # a huge picture is copied once, so it is painted in its own order of channels
            drawn = draw_overlay(self.image, self.classes, self._bgr, opacity)
            return add_legend(drawn, self.classes, self.names, self._bgr) if legend else drawn
        rgb = np.ascontiguousarray(self.image[..., ::-1])
        if self._class_scores is not None:
            from sacm_mm.visualization.class_scores import draw_class_scores

            drawn = draw_class_scores(rgb, self.names, self._class_scores)
        else:
            assert self.depth is not None
            picture = DepthPicture(rgb, self.depth, labels=self.classes)
            drawn = draw_picture(picture, self.style, self.names, self.palette)
        return np.ascontiguousarray(drawn[..., ::-1])

    def colours(self) -> np.ndarray:
        """Paint the classes of the pixels in their colours -> (H, W, 3), BGR uint8."""
        if self.classes is None:
            raise UserError(f'a model for {self.task} gives no class of each pixel')
        return colourise(self.classes, self._bgr)

    def save(self, path: str | Path, **kwargs: Any) -> None:
        """Write ``draw(**kwargs)`` to a file."""
        write_image(self.draw(**kwargs), path)

    def summary(self) -> dict[str, Any]:
        """Say what is in the picture, in numbers: for tables and JSON.

        Returns:
            Of classifiers ``label`` and ``score`` of the likeliest class, and ``labels`` where
            there may be several; of pixels the share of each class that occurs; of depth its
            least, median and largest value in metres.
        """
        found: dict[str, Any] = {'height': self.image.shape[0], 'width': self.image.shape[1]}
        if self._class_scores is not None:
            found['label'] = self.label
            found['score'] = round(float(self._class_scores.max()), 6)
        if self.labels is not None:
            found['labels'] = [*self.labels]
        if self.classes is not None:
            counts = count_labels(self.classes, len(self.names))
            found['shares'] = {
                name: round(float(count) / self.classes.size, 6)
                for name, count in zip(self.names, counts)
            }
        if self.depth is not None:
            for name, value in (
                ('min', self.depth.min()),
                ('median', np.median(self.depth)),
                ('max', self.depth.max()),
            ):
                found[f'depth_{name}_m'] = round(float(value), 4)
        return found
