"""Rebuild a study's report from what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable
from sacm_mm.studies.html_page import write_page
from sacm_mm.studies.plots import Picture, draw_plots
from sacm_mm.studies.results import StudyResults, load_results
from sacm_mm.studies.samples import draw_samples
from sacm_mm.studies.tables import write_tables

_SAMPLES = Picture(
    'samples.webp',
    'the first run of each network, the best on top',
    'The same test images under every network',
    wide=True,
)


def write_report(folder: Path) -> StudyResults:
    """Write tables, pictures and the page beside the runs they are made from.

    Args:
        folder: What ``record_runs`` wrote, such as ``results/camvid_seg``.

    Raises:
        UserError: No run in it counts, or it cannot be written.
    """
    results = load_results(folder)
    check_writable(folder)
    pictures = draw_plots(results, folder)
    try:
        if draw_samples(results, folder / _SAMPLES.name):
            pictures.append(_SAMPLES)
    except UserError as error:  # the figures count without them
        results = replace(results, left_out=(*results.left_out, ('samples', str(error))))
    write_tables(results, folder)
    write_page(results, pictures, folder)
    return results
