"""Write the figures of each class as data when a network is tested."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sacm_mm.core.files import write_json
from sacm_mm.core.run_log import class_figures_file
from sacm_mm.registry import HOOKS

# which classes the host's figures are not numbers for; IoU and Dice need truth or prediction
_LEFT_OUT = {
    'Acc': 'in no truth',
    'Recall': 'in no truth',
    'Precision': 'in no prediction',
    'Fscore': 'never found',
}


@HOOKS.register_module()
class ClassFiguresHook(Hook):
    """Write what mmsegmentation's ``IoUMetric`` finds for each class beside the log of a test.

    The metric itself prints a table and hands on the means. The file is
    ``{"IoU": {"sky": 92.1, ...}, "Acc": {...}}``, in per cent; a class that never occurs has null.
    """

    def __init__(self) -> None:
        self._figures: dict[str, dict[str, float | None]] = {}

    def before_test(self, runner: Runner) -> None:
        """Listen to the metrics."""
        from mmseg.evaluation import IoUMetric

        self._figures.clear()
        for metric in runner.test_evaluator.metrics:
            if isinstance(metric, IoUMetric) and 'total_area_to_metrics' not in vars(metric):
                self._listen(metric)

    def _listen(self, metric: Any) -> None:
        found_by_metric = metric.total_area_to_metrics

        def kept(*areas: Any, **settings: Any) -> dict[str, Any]:
            found = found_by_metric(*areas, **settings)
            names = metric.dataset_meta['classes']
            for key, values in found.items():
                if np.ndim(values) == 1:
                    self._figures[key] = dict(zip(names, map(_per_cent, values)))
            return found

        metric.total_area_to_metrics = kept

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the file, and say which figures are none."""
        for line in _not_figures(metrics or {}, self._figures):
            runner.logger.warning(line)
        if self._figures and is_main_process():
            log = Path(runner.log_dir, f'{runner.timestamp}.log')
            write_json(self._figures, class_figures_file(log))


def _not_figures(metrics: dict[str, float], of_classes: dict[str, dict]) -> list[str]:
    """Say which figures are not numbers, and which classes a mean leaves out."""
    lines = [
        f'{name} is not a number: nothing that counts was there to be scored (is every pixel '
        'ignored, or every depth invalid?)'
        for name, value in metrics.items()
        if isinstance(value, (float, np.floating)) and np.isnan(value)
    ]
    for name, values in of_classes.items():
        absent = [key for key, value in values.items() if value is None]
        if absent and len(absent) < len(values):
            lines.append(
                f'm{name} is the mean over {len(values) - len(absent)} of {len(values)} classes; '
                f'those that are {_LEFT_OUT.get(name, "in no truth and no prediction")} are left '
                f'out: {", ".join(absent)}'
            )
    return lines


def _per_cent(share: float) -> float | None:
    return round(100 * float(share), 2) if np.isfinite(share) else None
