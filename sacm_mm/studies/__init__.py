"""One recipe, many backbones: what is compared, its runs, and the report."""

from pathlib import Path

RUNS = Path('work_dirs/studies')  # where they are, unless --runs names another folder
