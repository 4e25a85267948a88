"""What a swap changed: kept in the config, undone, and shown to people."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.files import write_text

KEY = 'swapped_from'
_ABSENT = object()


def record(original: Config, swapped: Config) -> Config:
    """Keep what was replaced under ``swapped_from``, so that it can be put back."""
    before, after = original.to_dict(), swapped.to_dict()
    changed: dict[str, Any] = {}
    added: list[str] = []
    for path, old, _ in differences(before, after):
        if old is _ABSENT:
            added.append(path)
        else:
            changed[path] = old
    # sorted, as a file's keys are
    kept = [[path, changed[path]] for path in sorted(changed)]
    swapped[KEY] = dict(changed=kept, added=sorted(added))
    return swapped


def restored(cfg: Config) -> Config:
    """Copy a config as it was before a backbone was swapped in."""
    result = copy.deepcopy(cfg)
    kept = result.get(KEY)
    if kept is None:
        return result
    del result._cfg_dict[KEY]
    for path in kept['added']:
        *parents, key = path.split('/')
        del _walk(result._cfg_dict, parents)[key]
    for path, value in kept['changed']:
        *parents, key = path.split('/')
        _walk(result._cfg_dict, parents)[key] = value
    return result


def _walk(node: Any, keys: list[str]) -> Any:
    for key in keys:
        node = node[key]
    return node


def differences(before: Mapping, after: Mapping, path: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, old, new); parts of another type differ as a whole."""
    for key in dict.fromkeys((*before, *after)):
        here = f'{path}{key}'
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if old == new:
            continue
        if (
            isinstance(old, Mapping)
            and isinstance(new, Mapping)
            and (old.get('type') == new.get('type') and key != 'backbone')
        ):
            yield from differences(old, new, f'{here}/')
        else:
            yield here, old, new


def describe_changes(cfg: Config) -> list[str]:
    """List what a swapped config has in other ways than the first one, as a short diff."""
    lines = []
    after = {key: value for key, value in cfg.to_dict().items() if key != KEY}
    for path, old, new in differences(restored(cfg).to_dict(), after):
        name = path.replace('/', '.')
        if old is not _ABSENT:
            lines.append(f'- {name} = {_text(old)}')
        if new is not _ABSENT:
            lines.append(f'+ {name} = {_text(new)}')
    return lines


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return f'dict({", ".join(f"{key}={_text(item)}" for key, item in value.items())})'
    if isinstance(value, list):
        return f'[{", ".join(map(_text, value))}]'
    return repr(value)


def write_config(cfg: Config, path: Path) -> None:
    """Write a swapped config as one file that needs no other, with what was changed on top."""
    source = f' of {Path(cfg.filename).name}' if cfg.filename else ''
    head = [
        f'# The backbone{source} was replaced. What changed:',
        *(f'# {line}' for line in describe_changes(cfg)),
    ]
    write_text('\n'.join([*head, '', cfg.pretty_text]), path)
