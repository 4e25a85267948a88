"""``dataset.yaml``: what a data set is, for people, for ``sacm check`` and for the data classes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sacm_mm.core.errors import UserError, one_line

NAME = 'dataset.yaml'
_HEAD = """\
# What this data set is, written by 'sacm data'. Names and colours of classes may be edited here:
# training, prediction and the next run of 'sacm data' take them from here.
"""

_TASKS = ('segmentation', 'classification', 'depth')
# what is read of the file; the rest is for people
_FORM: dict[str, Any] = {
    'classes': list,
    'counts': {'train': int, 'val': int, 'test': int},
    'pictures': {'channels': int, 'dtype': str},
    'depth': {'metric': bool, 'step': float},
    'source': {'kind': str},
    'split': {'shares': list, 'seed': int},
    'found': list,
    'warnings': list,
    'names': {'train': list, 'val': list, 'test': list},
}
_SAID = {
    list: 'a list', int: 'a whole number, 0 or more', float: 'a number above 0', str: 'text',
    bool: 'true or false',
}  # fmt: skip


@dataclass(frozen=True)
class Category:
    """A class: its name, its colour in pictures, and what stands for it in the source."""

    name: str
    colour: tuple[int, int, int]
    code: str

    @property
    def hex(self) -> str:
        """The colour as ``#rrggbb``."""
        return '#{:02x}{:02x}{:02x}'.format(*self.colour)


def to_text(content: dict[str, Any]) -> str:
    """Write the file's text."""

    class Dumper(yaml.SafeDumper):
        """Short lists on one line; what occurs twice is written twice."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def sequence(dumper: yaml.SafeDumper, values: list) -> yaml.Node:
        flat = all(not isinstance(v, (dict, list)) for v in values)
        return dumper.represent_sequence('tag:yaml.org,2002:seq', values, flow_style=flat)

    def mapping(dumper: yaml.SafeDumper, values: dict) -> yaml.Node:
        flat = {'name', 'colour', 'code'} == set(values)
        return dumper.represent_mapping('tag:yaml.org,2002:map', values.items(), flow_style=flat)

    Dumper.add_representer(list, sequence)
    Dumper.add_representer(dict, mapping)
    text = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return _HEAD + text


class _PlainLoader(yaml.SafeLoader):
    """Reads no references (``*name``): some lines of them stand for more than fits into memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError('it has references (*name): write out what they stand for')
        return super().compose_node(parent, index)


def load_yaml(text: str) -> Any:
    """Read YAML that people wrote, or that came with a data set.

    Raises:
        yaml.YAMLError, RecursionError: It cannot be read.
    """
    return yaml.load(text, _PlainLoader)


def read_dataset_file(folder: Path) -> dict[str, Any]:
    """Read a data set's file.

    Raises:
        UserError: It is missing, damaged, or what was edited does not fit.
    """
    path = folder / NAME
    if not path.is_file():
        raise UserError(
            f"'{folder}' is no data set: it has no {NAME}; make one with 'sacm data', see its "
            '--help'
        )
    try:
        content = load_yaml(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"cannot read '{path}' ({one_line(error)}): mend it") from error
    if not isinstance(content, dict) or content.get('task') not in _TASKS:
        raise UserError(
            f"'{path}' names no task of {', '.join(_TASKS)}: write it anew with 'sacm data'"
        )
    needed = {'counts', 'pictures', 'depth' if content['task'] == 'depth' else 'classes'}
    for key in _FORM:
        if key in needed or content.get(key) is not None:
            _check_form(content.get(key), _FORM[key], f"{key} of '{path}'")
    return content


def _check_form(value: Any, form: Any, what: str) -> None:
    """Refuse a value that is not of the form: of a dict, each key; else its type and range."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise UserError(f'{what} is {value!r}: it must have {", ".join(form)}')
        for key, inner in form.items():
            _check_form(value.get(key), inner, f'{key} in {what}')
        return
    kinds = (int, float) if form is float else form
    fits = isinstance(value, kinds) and (form is bool or not isinstance(value, bool))
    if fits and form in (int, float):
        fits = 0 <= value < math.inf and (form is int or value > 0)
    if not fits:
        raise UserError(f'{what} is {value!r}: it must be {_SAID[form]}')


def class_of_folder(folder: str, classes: list[Category]) -> str:
    """Return the name of the class whose pictures a folder holds; it may have been edited."""
    return next((c.name for c in classes if c.code == folder), folder)


def categories(content: dict[str, Any], path: Path) -> list[Category]:
    """Return the classes of a file's content.

    Raises:
        UserError: A name is missing or occurs twice, or a colour is none.
    """
    found: list[Category] = []
    for entry in content.get('classes') or []:
        name = str((entry or {}).get('name') or '').strip() if isinstance(entry, dict) else ''
        if not name:
            raise UserError(f"class {len(found)} of '{path}' has no name: give it one")
        if name in [c.name for c in found]:
            raise UserError(f"class '{name}' occurs twice in '{path}': names must differ")
        text = str(entry.get('colour', ''))
        if not re.fullmatch('#[0-9a-fA-F]{6}', text):
            raise UserError(
                f"colour '{text}' of class '{name}' in '{path}' is none: write '#rrggbb'"
            )
        r, g, b = bytes.fromhex(text[1:])
        found.append(Category(name, (r, g, b), str(entry.get('code', name))))
    return found
