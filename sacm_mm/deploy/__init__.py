"""Export, and what runs exported files: the same numbers elsewhere.

The names are loaded on first use: what reads exported files does without the models.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    'export': 'sacm_mm.deploy.exporting',
    'load_card': 'sacm_mm.deploy.card',
    'load_exported': 'sacm_mm.deploy.runtimes',
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_PUBLIC[name]), name)
