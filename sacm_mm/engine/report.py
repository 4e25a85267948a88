"""Gather a test's report while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.labels import IGNORE_INDEX
from sacm_mm.engine.shown_pictures import picture_of_sample
from sacm_mm.evaluation.report_figures import (
    DepthRanges,
    calibration_rows,
    class_rows,
    confusion_of,
    mean_iou,
)
from sacm_mm.evaluation.report_page import Report, write_report
from sacm_mm.registry import HOOKS
from sacm_mm.visualization.class_colours import colourise
from sacm_mm.visualization.depth import DepthStyle, draw_picture
from sacm_mm.visualization.depth_visualizer import picture_of


@HOOKS.register_module()
class ReportHook(Hook):
    """Write a report at the end of a test, see ``evaluation.report_page``.

    A picture's score is its mean IoU, the probability that its true class gets, or its mean
    relative error of depth. Of several processes each sees its part: the report is for one.

    Args:
        out: Folder to make.
        title: Heading of the page.
        shown: How many of the worst and of the best pictures are shown.
    """

    priority = 'VERY_LOW'

    def __init__(self, out: str, title: str = 'Test', shown: int = 4) -> None:
        self.out = Path(out)
        self.title = title
        self.shown = shown

    def before_test(self, runner: Runner) -> None:
        """Forget what an earlier test has found."""
        meta = getattr(runner.test_dataloader.dataset, 'metainfo', None) or {}
        self.names = [str(name) for name in meta.get('classes') or ()]
        self.palette = meta.get('palette') or ()
        self._confusion = np.zeros((len(self.names),) * 2, np.int64)
        self._depth = DepthRanges()
        self._rows: list[dict[str, Any]] = []
        self._scored: list[tuple[float, str, np.ndarray]] = []  # the worst and best so far
        self._confidence: list[float] = []
        self._right: list[bool] = []
        self._without_truth = 0
        self._painted = False  # classes, in the pictures that are shown
        self._root = str(getattr(runner.test_dataloader.dataset, 'data_root', None) or '')
        self._style = getattr(runner.visualizer, 'style', DepthStyle())

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Count a batch."""
        for place, sample in enumerate(outputs or ()):
            path = sample.get('img_path')
            row: dict[str, Any] = {'picture': path or f'picture {len(self._rows)}'}
            badness = None
            if 'pred_score' in sample:
                badness = self._count_class(sample, row)
            if 'pred_sem_seg' in sample and 'gt_sem_seg' in sample:
                badness = self._count_classes(sample, row)
            if 'pred_depth_map' in sample and 'gt_depth_map' in sample:
                error = self._depth.add(
                    _map(sample, 'gt_depth_map'), _map(sample, 'pred_depth_map')
                )
                row['abs_rel'] = error
                badness = error if badness is None else badness
            self._rows.append(row)
            if badness is None:
                self._without_truth += 1
            elif self._is_extreme(badness):
                image = picture_of_sample(runner, sample, data_batch, place)
                self._keep(badness, _caption(row, self._root), self._draw(image, sample))

    def _count_class(self, sample: Any, row: dict[str, Any]) -> float | None:
        scores = sample.pred_score.float().cpu().numpy()
        label = int(scores.argmax())
        row['prediction'] = self._name(label)
        row['score'] = round(float(scores[label]), 4)
        if 'gt_label' not in sample:
            return None
        truth = int(sample.gt_label.flatten()[0])
        row['truth'] = self._name(truth)
        self._confidence.append(float(scores[label]))
        self._right.append(label == truth)
        if len(self._confusion) < len(scores):  # a data set that names no classes
            self._confusion = np.zeros((len(scores),) * 2, np.int64)
            self.names = [f'class {i}' for i in range(len(scores))]
        self._confusion[truth, label] += 1
        return 1 - float(scores[truth])

    def _name(self, label: int) -> str:
        return self.names[label] if label < len(self.names) else f'class {label}'

    def _count_classes(self, sample: Any, row: dict[str, Any]) -> float | None:
        truth, found = _map(sample, 'gt_sem_seg'), _map(sample, 'pred_sem_seg')
        counts = confusion_of(
            np.where(truth == IGNORE_INDEX, -1, truth.astype(np.int64)), found, len(self._confusion)
        )
        self._confusion += counts
        row['mIoU'] = mean_iou(counts)
        return None if row['mIoU'] is None else 100 - row['mIoU']

    def _is_extreme(self, badness: float) -> bool:
        if len(self._scored) < 2 * self.shown:
            return True
        values = [value for value, *_ in self._scored]
        return badness > values[self.shown - 1] or badness < values[self.shown]

    def _keep(self, badness: float, caption: str, image: np.ndarray) -> None:
        """Keep the worst and the best, the worst first."""
        self._scored.append((badness, caption, image))
        self._scored.sort(key=lambda item: -item[0])
        if len(self._scored) > 2 * self.shown:
            del self._scored[self.shown]

    def _draw(self, image: np.ndarray, sample: Any) -> np.ndarray:
        if 'pred_depth_map' in sample:
            return draw_picture(picture_of(image, sample), self._style, self.names, self.palette)
        if 'pred_sem_seg' not in sample:
            return image
        parts = [image]
        self._painted = True
        for key in ('gt_sem_seg', 'pred_sem_seg'):
            if key in sample:
                painted = colourise(_map(sample, key).astype(np.int64), self.palette)
                if painted.shape[:2] == image.shape[:2]:
                    parts.append(painted)
        return np.concatenate(parts, axis=1)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the report."""
        if not is_main_process():
            return
        counted = self._confusion.sum() > 0
        classes = class_rows(self._confusion, self.names) if counted else []
        report = Report(
            title=self.title,
            figures={key: _plain(value) for key, value in (metrics or {}).items()},
            names=self.names if counted else [],
            palette=self.palette if self._painted else (),
            classes=classes,
            confusion=self._confusion if counted else None,
            depth=self._depth.rows(),
            calibration=calibration_rows(self._confidence, self._right),
            pictures=self._rows,
            shown=[(caption, image) for _, caption, image in self._scored],
            notes=self._notes(classes),
        )
        write_report(report, self.out)
        runner.logger.info(f'Report: {self.out / "index.html"}')

    def _notes(self, classes: list[dict[str, Any]]) -> list[str]:
        notes = []
        absent = [row['class'] for row in classes if not row['share']]
        if absent:
            notes.append(f'These classes do not occur in the truth: {", ".join(absent)}.')
        if self._without_truth:
            notes.append(
                f'{self._without_truth} of {len(self._rows)} pictures have no truth that counts.'
            )
        return notes


def _map(sample: Any, key: str) -> np.ndarray:
    return sample.get(key).data.squeeze(0).float().cpu().numpy()


def _caption(row: dict[str, Any], root: str) -> str:
    """Say the figures of a picture, which is named from the root of the data on."""
    figures = [f'{key} {value}' for key, value in row.items() if key != 'picture']
    name = str(row['picture']).removeprefix(root).lstrip('/') if root else row['picture']
    return f'{name}: {", ".join(figures)}'


def _plain(value: Any) -> Any:
    value = getattr(value, 'item', lambda: value)()
    return round(value, 4) if isinstance(value, float) else value
