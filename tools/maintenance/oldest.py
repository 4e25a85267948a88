#!/usr/bin/env python
"""Print requirements.txt with every lower bound as the version to install."""

import re
from pathlib import Path

# Linters and the site: they check the code, and do not run with it.
NOT_RUN = ('codespell', 'import-linter', 'mkdocs', 'mypy', 'pre-commit', 'ruff')


def main() -> None:
    """Print."""
    text = Path(__file__).parents[2].joinpath('requirements.txt').read_text(encoding='utf-8')
    for name, version in re.findall(r'^([\w\[\]-]+)>=([\w.]+)', text, re.MULTILINE):
        if not name.startswith(NOT_RUN):
            print(f'{name}=={version}')


if __name__ == '__main__':
    main()
