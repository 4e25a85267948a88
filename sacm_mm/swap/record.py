"""What a swap changed: kept in the config, undone, and shown to people."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core import configs
from sacm_mm.core.errors import UserError

KEY = 'swapped_from'
_HEAD = 'The backbone'
_ABSENT = object()


def record(original: Config, swapped: Config) -> Config:
    """Keep what was replaced under ``swapped_from``, so that it can be put back."""
    before, after = original.to_dict(), swapped.to_dict()
    changed: dict[str, Any] = {}
    added: list[str] = []
    for path, old, _ in config_differences(before, after):
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
        _walk(result._cfg_dict, parents).pop(key, None)  # a user may have removed it
    for path, value in kept['changed']:
        *parents, key = path.split('/')
        _walk(result._cfg_dict, parents)[key] = value
    return result


def _walk(node: Any, keys: list[str]) -> Any:
    for key in keys:
        node = node[key]
    return node


def config_differences(
    before: Mapping, after: Mapping, path: str = ''
) -> Iterator[tuple[str, Any, Any]]:
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
            yield from config_differences(old, new, f'{here}/')
        else:
            yield here, old, new


def describe_changes(cfg: Config) -> list[str]:
    """List what a swapped config has in other ways than the first one, as a short diff."""
    lines = []
    after = {key: value for key, value in cfg.to_dict().items() if key != KEY}
    for path, old, new in config_differences(restored(cfg).to_dict(), after):
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


def write_config(cfg: Config, path: str | Path) -> None:
    """Write a swapped config as one file that needs no other, with what was changed on top."""
    source = f' of {Path(cfg.filename).name}' if cfg.filename else ''
    head = [f'{_HEAD}{source} was replaced. What changed:', *describe_changes(cfg)]
    configs.write_config(cfg, path, head)


def check_out(
    out: str | Path, cfg: Config, backbone: str | Mapping | Path, overwrite: bool = False
) -> None:
    """Make sure that writing a swapped config destroys nothing.

    Args:
        out: File to write.
        cfg: The config that is swapped.
        backbone: What is swapped in, which may be in a file.
        overwrite: Replace any other file that is there.

    Raises:
        UserError: ``out`` is no ``.py``, or one of the sources, or there is a file that was not
            swapped.
    """
    out = Path(out)
    if out.suffix != '.py':
        raise UserError(f"--out writes a config: let '{out}' end in .py")
    sources = [cfg.filename] if cfg.filename else []
    if not isinstance(backbone, Mapping):
        name = str(backbone)
        sources += [name, name.partition('.py:')[0] + '.py']
    if out.resolve() in [Path(source).resolve() for source in sources]:
        raise UserError(f"--out '{out}' is a source of the swap itself: choose another name")
    if overwrite or not out.is_file():
        return
    if not out.read_text(errors='replace').startswith(f'# {_HEAD}'):
        raise UserError(
            f"'{out}' exists and is not overwritten: choose another name, or give --overwrite"
        )
