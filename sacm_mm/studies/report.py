"""Rebuild a study's report from what is kept of it."""

from __future__ import annotations

from pathlib import Path

from sacm_mm.studies.page import write_page
from sacm_mm.studies.plots import draw_plots
from sacm_mm.studies.results import Comparison, load_results
from sacm_mm.studies.samples import draw_samples
from sacm_mm.studies.tables import write_tables


def write_report(folder: Path) -> Comparison:
    """Write tables, pictures and the page beside the runs they are made from.

    Args:
        folder: What ``gather`` wrote, such as ``results/camvid_seg``.

    Raises:
        UserError: No run in it counts.
    """
    comparison = load_results(folder)
    write_tables(comparison, folder)
    pictures = draw_plots(comparison, folder)
    if draw_samples(comparison, folder / 'samples.png'):
        pictures.append(('samples.png', 'the first run of each network, the best on top'))
    write_page(comparison, pictures, folder)
    return comparison
