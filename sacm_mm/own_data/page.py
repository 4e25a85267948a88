"""The page of a check: one HTML file that needs no other."""

from __future__ import annotations

from pathlib import Path

import jinja2

from sacm_mm.core.files import write_text

from .findings import Report

_TEMPLATES = Path(__file__).parent / 'templates'
NAME = 'check.html'


def page_text(report: Report) -> str:
    """Fill the page; names of classes and files are text there, whatever they hold."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    largest = max((row.share for row in report.classes), default=1) or 1
    return environment.get_template('check.html.j2').render(report=report, largest=largest)


def write_page(report: Report, path: str | Path) -> None:
    """Write the page, whole or not at all."""
    write_text(page_text(report), path)
