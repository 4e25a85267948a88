"""Save figures whole or not at all."""

from pathlib import Path

from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path, dpi: int = 120) -> None:
    """Write ``figure`` to ``path``; the file appears when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.partial')
    try:
        figure.savefig(partial, dpi=dpi, format=path.suffix[1:] or 'png')
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
