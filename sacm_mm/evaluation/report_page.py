"""The report of a test: data as JSON and CSV, pictures, and one page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sacm_mm.core.files import publish_folder, write_csv, write_json, write_text
from sacm_mm.core.templates import data_url, fill

_TEMPLATE = Path(__file__).parent / 'templates/report.html.j2'
_WIDTH = 960  # pixels of a picture on the page
_READABLE = 40  # classes whose confusion is still a table on the page


@dataclass
class Report:
    """What a test has found.

    Attributes:
        title: Of the page.
        figures: The metrics' figures by name.
        names: Names of the classes.
        classes: Rows of ``class_rows``.
        confusion: Counts (classes, classes), rows are the truth; or None.
        depth: Rows of ``DepthRanges``.
        calibration: Rows of ``calibration_rows``.
        pictures: A row a picture: ``picture``, ``score``, ...
        shown: The worst and the best pictures: caption and RGB uint8 (H, W, 3), worst first.
        notes: What the figures do not say by themselves.
        palette: RGB of each class; empty where none is painted.
    """

    title: str
    figures: dict[str, float]
    names: Sequence[str] = ()
    classes: list[dict[str, Any]] = field(default_factory=list)
    confusion: np.ndarray | None = None
    depth: list[dict[str, Any]] = field(default_factory=list)
    calibration: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[dict[str, Any]] = field(default_factory=list)
    shown: list[tuple[str, np.ndarray]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    palette: Sequence[Sequence[int]] = ()


def write_report(report: Report, out: str | Path) -> None:
    """Write a folder: ``index.html``, ``report.json``, tables as CSV, the confusion as a picture.

    Raises:
        UserError: The folder is there already, or cannot be written.
    """
    with publish_folder(out) as folder:
        content = {
            'title': report.title,
            'figures': report.figures,
            'notes': report.notes,
            'classes': report.classes,
            'confusion': None
            if report.confusion is None
            else {'names': list(report.names), 'counts': report.confusion.tolist()},
            'depth': report.depth,
            'calibration': report.calibration,
        }
        write_json(content, folder / 'report.json')
        tables = ('classes', 'depth', 'calibration', 'pictures')
        for name in tables:
            if rows := getattr(report, name):
                write_csv(rows, folder / f'{name}.csv')
        if report.confusion is not None:
            rows = [
                {'truth': name, **dict(zip(map(str, report.names), counts.tolist()))}
                for name, counts in zip(report.names, report.confusion)
            ]
            write_csv(rows, folder / 'confusion.csv')
            _draw_confusion(report, folder / 'confusion.png')
        write_text(page_text(report), folder / 'index.html')


def page_text(report: Report) -> str:
    """Fill the page."""
    shares = None
    if report.confusion is not None and len(report.names) <= _READABLE:
        shares = _shares(report.confusion)
    pictures = [(caption, _embedded(image)) for caption, image in report.shown]
    return fill(_TEMPLATE, report=report, shares=shares, shown=pictures)


def _shares(confusion: np.ndarray) -> list[list[float]]:
    """Share of each row, per cent."""
    total = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return (100 * confusion / total).round(1).tolist()


def _embedded(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    if width > _WIDTH:
        size = (_WIDTH, round(height * _WIDTH / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    fine, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert fine
    return data_url(data.tobytes())


def _draw_confusion(report: Report, path: Path) -> None:
    from matplotlib.figure import Figure

    from sacm_mm.core.files import save_figure

    assert report.confusion is not None
    count = len(report.names)
    side = min(4 + 0.25 * count, 20)
    figure = Figure((side + 1, side), layout='constrained')
    axis = figure.subplots()
    shown = axis.imshow(_shares(report.confusion), vmin=0, vmax=100, cmap='Blues')
    # a dollar sign would begin a formula
    names = [str(name).replace('$', r'\$') for name in report.names]
    if count <= _READABLE:
        axis.set_xticks(range(count), names, rotation=90)
        axis.set_yticks(range(count), names)
    axis.set(xlabel='prediction', ylabel='truth')
    figure.colorbar(shown, label='share of the true class (%)')
    save_figure(figure, path)
