"""Other values for the variables of a config: everything that was made from them follows.

A config names its sizes once (``crop_size = (320, 320)``), and its pipelines refer to that.
mmengine merges options into what a file has made already, where another ``crop_size`` would change
nothing. Here the assignment itself gets the new value, in the file and in its bases.
"""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacm_mm.core.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


_CHANGED = "__import__('sacm_mm.core.config_variables', fromlist=['changed']).changed"


def read_with(
    path: Path, values: Mapping[str, Any], inside: Mapping[str, Mapping[str, Any]]
) -> Config:
    """Read a config with other values for its variables.

    Args:
        path: The config.
        values: New values by name; names that it assigns nowhere are passed over.
        inside: For other names, what changes in each value they are given, by dotted name.
    """
    from mmengine.config import Config

    with tempfile.TemporaryDirectory() as folder:
        source = _copy(path, Path(folder), values, inside)
        cfg = Config.fromfile(source)
    if source == path:
        return cfg
    return Config(
        cfg._cfg_dict, cfg_text=cfg.text, filename=str(path), env_variables=cfg.env_variables
    )


def changed(value: Any, name: str, inner: Mapping[str, Any]) -> Any:
    """Change what one file gives a name; ``inner`` has the dotted names from that on.

    Raises:
        UserError: It is no more than a variable of the file's base, by another name.
        TypeError: What is changed inside of is no dict, but a base's for instance.
    """
    from mmengine.config import Config

    if isinstance(value, str):
        raise UserError(f"'{name}' is another name for what a base has: change that one")
    cfg = Config({name: value})
    try:
        cfg.merge_from_dict(dict(inner))
    except KeyError:  # a list that is shorter in this file; the whole is merged once more
        return value
    return cfg.to_dict()[name]


def _copy(
    path: Path, folder: Path, values: Mapping[str, Any], inside: Mapping[str, Mapping[str, Any]]
) -> Path:
    """Write a config and its bases with the new values, each into a folder of its own.

    One in another language stays where it is.
    """
    from mmengine.config import Config

    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if path.suffix != '.py' or Config._is_lazy_import(str(path)):
        return path  # it has other ways to share values
    Config._substitute_predefined_vars(str(path), str(target))
    text = target.read_bytes()
    replaced: dict[ast.expr, str] = {}
    for name, node in _assignments(text):
        if name == '_base_':
            bases = Config._get_base_files(str(target))  # evaluated: it may be made by code
            copies = [
                base
                if '::' in base
                else str(_copy(path.parent / base, folder / str(i), values, inside))
                for i, base in enumerate(bases)
            ]
            replaced[node] = repr(copies)
        elif name in values:
            replaced[node] = repr(values[name])
        elif name in inside:
            source = ast.get_source_segment(text.decode(), node) or ''
            if not re.fullmatch(rf'\{{\{{\s*_base_\.{name}\s*\}}\}}', source):  # changed there
                replaced[node] = f'{_CHANGED}({source}, {name!r}, {inside[name]!r})'
    target.write_bytes(_replace(text, replaced))
    return target


def _assignments(text: bytes) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a file assigns at its top level, and the expressions."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value


def _replace(text: bytes, replaced: dict[ast.expr, str]) -> bytes:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node, value in reversed(replaced.items()):  # from the end, so that places before it stay
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        text = text[:start] + value.encode() + text[end:]
    return text
