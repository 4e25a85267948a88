"""Architectures by name, or as a dict of the same sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sacm_mm.core.errors import UserError


def read_arch(arch: str | Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> dict:
    """Look an architecture up, or check one that is given as a dict like the known ones.

    Args:
        arch: A name in ``known``, or a mapping with the keys of its entries.
        known: The published architectures.

    Raises:
        UserError: The name or a key is unknown, a key is missing, or a value is not one positive
            integer, or a list of them, where the known ones have that.
    """
    if isinstance(arch, str):
        if arch not in known:
            raise UserError(
                f"unknown arch '{arch}': choose from {', '.join(known)}, or give a dict with "
                f'{", ".join(_template(known))}'
            )
        return dict(known[arch])
    if not isinstance(arch, Mapping):
        raise UserError(f'arch must be a name or a dict, but got {type(arch).__name__}')
    template = _template(known)
    if set(arch) != set(template):
        raise UserError(
            f'an arch dict has exactly the keys {", ".join(template)}, '
            f'but got {", ".join(sorted(map(str, arch))) or "none"}'
        )
    for key, example in template.items():
        _check_sizes(key, arch[key], example)
    return dict(arch)


def _template(known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(iter(known.values()))


def _check_sizes(key: str, value: object, example: object) -> None:
    if isinstance(example, Sequence):
        fits = isinstance(value, Sequence) and len(value) == len(example)
        sizes, wanted = value if fits else (), f'{len(example)} positive integers'
    else:
        fits, sizes, wanted = True, (value,), 'a positive integer'
    if not fits or any(not isinstance(size, int) or size < 1 for size in sizes):  # type: ignore[attr-defined]
        raise UserError(f'arch {key} must be {wanted}, but got {value!r}')
