"""Save figures whole or not at all."""

from pathlib import Path

from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path, dpi: int = 120) -> None:
    """Write ``figure`` to ``path``; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    try:
        kind = path.suffix[1:] or 'png'
        # no versions or dates, so that the same picture is the same file
        metadata = {'png': {'Software': None}, 'svg': {'Date': None}}.get(kind)
        figure.savefig(partial, dpi=dpi, format=kind, metadata=metadata)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
