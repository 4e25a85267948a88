"""The page of a check: one HTML file that needs no other."""

from __future__ import annotations

from pathlib import Path

from sacm_mm.core.files import write_text
from sacm_mm.core.templates import fill

from .findings import Report

_TEMPLATE = Path(__file__).parent / 'templates/check.html.j2'
NAME = 'check.html'


def page_text(report: Report) -> str:
    """Fill the page."""
    largest = max((row.share for row in report.classes), default=1) or 1
    return fill(_TEMPLATE, report=report, largest=largest)


def write_page(report: Report, path: str | Path) -> None:
    """Write the page, whole or not at all."""
    write_text(page_text(report), path)
