"""One page that shows a report: nothing is loaded from elsewhere, and it reads without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sacm_mm.core.files import write_text
from sacm_mm.core.templates import fill
from sacm_mm.studies.plots import Picture, is_ours
from sacm_mm.studies.results import StudyResults
from sacm_mm.studies.tables import cells, columns, command, provenance, run_row

_TEMPLATES = Path(__file__).parent / 'templates'


def write_page(results: StudyResults, pictures: Sequence[Picture], out: Path) -> None:
    """Write ``index.html``; the pictures lie beside it.

    Args:
        results: The results.
        pictures: What to show.
        out: Folder of the report.
    """
    study = results.study
    runs = [run_row(results, run) for run in results.runs]
    page = fill(
        _TEMPLATES / 'report.html',
        title=study['title'],
        about=study['about'],
        heads=[{'name': name, 'note': note} for name, note in columns(results)],
        networks=[_network(results, network) for network in results.best_first()],
        provenance=provenance(results),
        command=command(study),
        plots=[picture for picture in pictures if not picture.heading],
        pictures=[picture for picture in pictures if picture.heading],
        left_out=results.left_out,
        run_heads=[{'name': key, 'note': ''} for key in runs[0]],
        runs=[{'marked': False, 'cells': [_cell(*item) for item in run.items()]} for run in runs],
        style=(_TEMPLATES / 'report.css').read_text(encoding='utf-8'),
        script=(_TEMPLATES / 'report.js').read_text(encoding='utf-8'),
    )
    write_text(page.lstrip(), out / 'index.html')


def _network(results: StudyResults, network: Any) -> dict[str, Any]:
    shown = [
        {'text': text, 'value': value if isinstance(value, str) else f'{value:.6g}', 'code': False}
        for text, value in cells(results, network)
    ]
    return {'marked': is_ours(network), 'cells': shown}


def _cell(key: str, value: Any) -> dict[str, Any]:
    text = str(value)
    shown = text[:10] if key == 'commit' else text
    return {'text': shown, 'value': text, 'code': key in ('command', 'log')}
