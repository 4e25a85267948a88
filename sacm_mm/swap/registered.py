"""Registered networks of other people's code: in files with ``custom_imports``, or as dicts."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.registry import MODELS

from sacm_mm.core.configs import as_list
from sacm_mm.core.errors import UserError
from sacm_mm.swap.dry_run import class_of
from sacm_mm.swap.foreign import KNOWN, TYPE, describe_network
from sacm_mm.swap.sources import absolute_files, needed_path
from sacm_mm.swap.survey import Size


@contextmanager
def imports_beside(path: Path) -> Iterator[None]:
    """Let a config's ``custom_imports`` find modules beside it."""
    folder = str(path.resolve().parent)
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)


def refuse_code(path: Path) -> None:
    """Tell a file of classes from a config.

    Raises:
        UserError: It has classes and nothing that is named like a part of a config.
    """
    try:
        body = ast.parse(path.read_text(encoding='utf-8')).body
    except (SyntaxError, UnicodeDecodeError):  # reading it as a config says what is wrong
        return
    assigned = {
        target.id
        for line in body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name)
    }
    classes = [line.name for line in body if isinstance(line, ast.ClassDef)]
    if classes and not assigned & {'backbone', 'model', '_base_'}:
        raise UserError(
            f"'{path}' is code, not a config: name the network in it, {path}:{classes[-1]}"
        )


def own_imports(cfg: Mapping) -> list[str]:
    """List the modules that a config imports beside those of the hosts and ours."""
    imports = as_list((cfg.get('custom_imports') or {}).get('imports'))
    return [name for name in imports if name.partition('.')[0] not in ('sacm_mm', *KNOWN)]


def registered_by(
    imports: Sequence[str], path: Path, backbone: Mapping, size: Size | None, channels: int
) -> dict:
    """Describe a network whose type the modules ``imports`` register, beside file ``path``.

    Raises:
        UserError: See ``describe_network``.
    """
    folders = needed_path([sys.modules[name] for name in imports])
    network = absolute_files(dict(backbone), [path.resolve().parent])
    network['type'] = _with_scope(network['type'])
    return describe_network(network, (), folders, imports, size, channels)


def _with_scope(kind: str) -> str:
    """Write the scope of the registry that knows a type in front of it."""
    if kind in MODELS.module_dict:
        return kind
    for child in MODELS.children.values():
        if kind in child.module_dict:
            return f'{child.scope}.{kind}'
    return kind


def as_backbone(new: dict, scope: str, size: Size, channels: int) -> dict:
    """Wrap a registered network that does not hand on plain maps, or not of any image size.

    Networks of the hosts and of ours are known to; they are left alone, unless they hand on
    something else.

    Raises:
        UserError: It does not build or run, or gives no maps.
    """
    if new['type'] == TYPE:
        return new
    cls = class_of(new['type'], scope)
    if cls is None or cls.__module__.partition('.')[0] in ('sacm_mm', *KNOWN):
        return new
    network = dict(new, type=_with_scope(new['type']))
    path = needed_path([sys.modules[cls.__module__]])
    wrapped = describe_network(network, (), path, [cls.__module__], size, channels, scope)
    plain = {'type', 'network', 'out_channels', 'out_strides', 'out_indices', 'imports'}
    everything = list(range(len(wrapped['out_indices'])))
    if set(wrapped) <= plain and wrapped['out_indices'] == everything:
        return new
    return wrapped
