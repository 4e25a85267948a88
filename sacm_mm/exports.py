"""What a package exports: the classes that its files register."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def registered_in(package: str) -> Callable[[str], Any]:
    """Make a package's ``__getattr__``, so that ``from sacm_mm.engine import Muon`` finds it."""

    def find(name: str) -> Any:
        if name[0].isupper():  # the files of a package are asked for here, too
            from sacm_mm import registry

            for parts in vars(registry).values():
                if getattr(parts, 'scope', None) == 'sacm_mm':
                    parts.import_from_location()
                    found = parts.module_dict.get(name)
                    if found is not None and found.__module__.startswith(f'{package}.'):
                        return found
        raise AttributeError(f'module {package!r} has no attribute {name!r}')

    return find
