"""One page that shows a report: nothing is loaded from elsewhere, and it reads without scripts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from sacm_mm.core.files import write_text
from sacm_mm.studies.plots import is_ours
from sacm_mm.studies.results import Comparison
from sacm_mm.studies.tables import cells, columns, provenance, run_row

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; color: #1a1a1a; background: #fff;
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p, li { max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .4rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #ddd; }
th { vertical-align: bottom; border-bottom: 2px solid #444; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
th small { display: block; font-weight: normal; color: #555; white-space: normal;
  min-width: 5rem; }
tr.ours td { background: #fdf1ea; } tr.ours td:first-child { box-shadow: inset 4px 0 #D55E00; }
th button { all: unset; cursor: pointer; font-weight: bold; }
th button:focus-visible { outline: 2px solid #0072B2; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1rem; }
figure { margin: 0 0 1rem; } figcaption { color: #444; font-size: .9rem; }
img { max-width: 100%; height: auto; display: block; }
code { background: #f3f3f3; padding: .1rem .3rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } .wide img { min-width: 36rem; }
@media (max-width: 40rem) {
  th, td { padding: .4rem .45rem; }
  th:first-child, td:first-child { white-space: normal; min-width: 7.5rem; max-width: 9rem; }
}
"""
_SCRIPT = """
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    while (head.firstChild && head.firstChild.nodeName !== 'SMALL') button.append(head.firstChild);
    head.prepend(button);
    button.addEventListener('click', () => {
      const down = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const value = row => row.cells[column].dataset.value ?? '';
      const known = [...body.rows].filter(row => value(row) !== '');
      known.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      });
      body.prepend(...known);
    });
  });
}
"""
_LARGE = ('classes.png', 'samples.png', 'curves.png')  # across the whole page


def write_page(comparison: Comparison, pictures: Sequence[tuple[str, str]], out: Path) -> Path:
    """Write ``index.html`` with the pictures, which lie beside it, in it.

    Args:
        comparison: The results.
        pictures: File name and caption of each.
        out: Folder of the report.
    """
    study = comparison.study
    small = [p for p in pictures if p[0] not in _LARGE]
    large = [p for p in pictures if p[0] in _LARGE]
    parts = [
        f'<h1>{escape(study["title"])}</h1>',
        f'<p>{escape(study["about"])}</p>',
        _table(comparison),
        *(f'<p>{_text(line)}</p>' for line in provenance(comparison)),
        '<h2>Figure and cost</h2>' if small else '',
        '<div class="plots">',
        *(_figure(out / name, caption) for name, caption in small),
        '</div>',
        *(_heading(name) + _figure(out / name, caption) for name, caption in large),
        _left_out(comparison),
        '<h2>Every run, and what made it</h2>',
        _runs(comparison),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(study["title"])}</title>\n<style>{_STYLE}</style></head>\n<body>\n'
        + '\n'.join(part for part in parts if part)
        + f'\n<script>{_SCRIPT}</script>\n</body></html>\n'
    )
    path = out / 'index.html'
    write_text(page, path)
    return path


def _text(line: str) -> str:
    """Escape a line in which back ticks mark code."""
    parts = escape(line).split('`')
    return ''.join(f'<code>{p}</code>' if i % 2 else p for i, p in enumerate(parts))


def _table(comparison: Comparison) -> str:
    heads = ''.join(
        f'<th scope="col">{escape(name)}{f"<small>{escape(note)}</small>" if note else ""}</th>'
        for name, note in columns(comparison)
    )
    lines = []
    for row in comparison.best_first():
        marked = ' class="ours"' if is_ours(row) else ''
        tds = ''.join(
            f'<td data-value="{escape(_value(value))}">{escape(text)}</td>'
            for text, value in cells(comparison, row)
        )
        lines.append(f'<tr{marked}>{tds}</tr>')
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{heads}</tr></thead>\n<tbody>\n'
        + '\n'.join(lines)
        + '\n</tbody></table></div>'
    )


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f'{value:.6g}'


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    scrolls = ' class="wide"' if path.name == 'samples.png' else ''
    return (
        f'<figure{scrolls}><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
    )


def _heading(name: str) -> str:
    titles = {
        'curves.png': 'Training',
        'classes.png': 'Classes',
        'samples.png': 'The same test images under every network',
    }
    return f'<h2>{titles[name]}</h2>'


def _left_out(comparison: Comparison) -> str:
    if not comparison.left_out:
        return ''
    items = ''.join(
        f'<li><strong>{escape(name)}</strong>: {escape(reason)}</li>'
        for name, reason in comparison.left_out
    )
    return f'<h2>Left out</h2><ul>{items}</ul>'


def _runs(comparison: Comparison) -> str:
    rows = [run_row(comparison, r) for row in comparison.rows for r in row.results]
    heads = ''.join(f'<th scope="col">{escape(key)}</th>' for key in rows[0])
    lines = []
    for row in rows:
        texts = {key: str(value) for key, value in row.items()}
        tds = ''.join(
            f'<td data-value="{escape(text)}">{_cell(key, text)}</td>'
            for key, text in texts.items()
        )
        lines.append(f'<tr>{tds}</tr>')
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{heads}</tr></thead>\n<tbody>\n'
        + '\n'.join(lines)
        + '\n</tbody></table></div>'
    )


def _cell(key: str, text: str) -> str:
    if key in ('command', 'log'):
        return f'<code>{escape(text)}</code>'
    return escape(text[:10] if key == 'commit' else text)
