"""Let the pages show the pictures of results/, which are not kept twice."""

from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = ('.png', '.jpg', '.webp', '.svg')


def on_files(files: Files, config) -> Files:
    """Add every picture of results/ under ``results/``."""
    for path in sorted((ROOT / 'results').rglob('*')):
        if path.suffix in SUFFIXES and 'samples' not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files
