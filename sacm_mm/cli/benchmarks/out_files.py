"""Checks of what several verbs write, before they measure."""

from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable_file


def check_csv(path: Path | None) -> None:
    """Refuse a path that is no CSV or cannot be written."""
    _check_out(path, '--out writes a CSV', '.csv')


def check_picture(path: Path | None, flag: str = '--plot') -> None:
    """Refuse a path that is no picture of ours or cannot be written."""
    _check_out(path, f'{flag} writes a picture', '.png', '.webp')


def _check_out(path: Path | None, what: str, *suffixes: str) -> None:
    if path is None:
        return
    if path.suffix not in suffixes:
        raise UserError(f"{what}: let '{path}' end in {' or '.join(suffixes)}")
    check_writable_file(path)
