"""Find where the code of a network comes from, so that a config can name it from any folder."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any


def module_of_file(path: Path) -> tuple[str, Path]:
    """Return the name under which a file imports, and the folder from which it does.

    A file of a package, or one with relative imports, imports from above the package.
    """
    path = path.resolve()
    up = 0
    folder = path.parent
    while (folder / '__init__.py').is_file():
        folder, up = folder.parent, up + 1
    up = max(up, _relative_levels(path))
    *above, stem = path.with_suffix('').parts[-1 - up :]
    return '.'.join([*above, stem]), path.parents[up]


def _relative_levels(path: Path) -> int:
    try:
        tree = ast.parse(path.read_text(encoding='utf-8'))
    except (SyntaxError, UnicodeDecodeError):  # importing it says what is wrong
        return 0
    return max((x.level for x in ast.walk(tree) if isinstance(x, ast.ImportFrom)), default=0)


def needed_path(modules: Iterable[ModuleType]) -> list[str]:
    """List the folders that ``PYTHONPATH`` needs, for another process to import ``modules``.

    What they import at their top counts too. Folders that every process of this Python looks into
    are left out.
    """
    seen: dict[str, ModuleType] = {}
    waiting = list(modules)
    roots: list[str] = []
    while waiting:
        module = waiting.pop()
        root = _root(module)
        if module.__name__ in seen or root is None or root in everyones_path():
            continue
        seen[module.__name__] = module
        roots.append(root)
        waiting += _imported_by(module)
    order = {str(Path(folder or '.').resolve()): i for i, folder in enumerate(sys.path)}
    return sorted(set(roots), key=lambda root: order.get(root, len(order)))


def _imported_by(module: ModuleType) -> Iterator[ModuleType]:
    for value in list(vars(module).values()):
        if inspect.ismodule(value):
            yield value
        else:
            name = getattr(value, '__module__', None)
            if isinstance(name, str) and name in sys.modules:
                yield sys.modules[name]


def _root(module: ModuleType) -> str | None:
    """Return the folder from which a module is found: that above its top package."""
    place = getattr(module, '__file__', None) or next(iter(getattr(module, '__path__', ())), None)
    if not place:  # built in
        return None
    path = Path(place).resolve()
    path = path.parent if path.name == '__init__.py' else path
    return str(path.parents[module.__name__.count('.')])


@cache
def everyones_path() -> frozenset[str]:
    """Return what any process of this Python has in its path, installed packages included."""
    script = 'import sys; print("\\n".join(sys.path))'
    done = subprocess.run(
        [sys.executable, '-I', '-c', script], capture_output=True, text=True, check=True, cwd='/'
    )
    folders = [*done.stdout.split('\n'), *sysconfig.get_paths().values()]
    paths = [Path(folder).resolve() for folder in folders if folder]
    return frozenset(str(path) for p in paths for path in (p, p / 'lib-dynload'))


def absolute_files(value: Any, folders: Iterable[Path]) -> Any:
    """Make relative paths of files that are there absolute, wherever they are in arguments."""
    folders = list(folders)
    if isinstance(value, dict):
        return {key: absolute_files(item, folders) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(absolute_files(item, folders) for item in value)
    if isinstance(value, str) and value and not Path(value).is_absolute():
        for folder in folders:
            # a bare word may be a file by chance
            if ('/' in value or Path(value).suffix) and (folder / value).exists():
                return str((folder / value).resolve())
    return value
