"""Find and read configs, and apply options: one normal form, whatever they are written in."""

from __future__ import annotations

import argparse
import copy
import difflib
import importlib
import inspect
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pprint import pformat
from typing import TYPE_CHECKING, Any

from sacm_mm.core.config_variables import read_with
from sacm_mm.core.errors import UserError, causes, did_you_mean, one_line
from sacm_mm.core.files import write_text

if TYPE_CHECKING:
    from mmengine.config import Config

HOSTS = {  # their packages, and what they are called in an index
    'mmpretrain': 'onedl-mmpretrain',
    'mmseg': 'onedl-mmsegmentation',
    'mmdet': 'onedl-mmdetection',
}
_DICT = re.compile(r'[\[(\s]*(\{|dict\()')  # or a list of them


def find_config(name: str) -> Path:
    """Find a config file: a path, a name among ours, or ``mmseg:FOLDER/FILE.py`` of the hosts'.

    A folder stands for the config of its name in it, as ``sacm data`` writes it.

    Raises:
        UserError: There is none; the message names near ones.
    """
    folder = Path(name)
    own = folder / f'{folder.resolve().name}.py'
    if folder.is_dir() and own.is_file():
        return own
    return host_config(name) or _find(name, 'config', config_folder())


def find_study(name: str) -> Path:
    """Find the config of a study: a path, or a name such as ``camvid_seg``."""
    return _find(name, 'study', config_folder() / 'studies')


def _find(name: str, kind: str, folder: Path) -> Path:
    path = Path(name)
    if path.is_file():
        return path
    ours = {p.name: p for p in (*folder.glob('*.py'), *folder.glob('pretrain/*.py'))}
    candidate = path.name if path.suffix else f'{path.name}.py'
    if path.parent == Path() and candidate in ours:
        return ours[candidate]
    hint = did_you_mean(candidate, ours, f'there are {", ".join(sorted(ours))}')
    raise UserError(f"{kind} '{name}' does not exist: {hint}")


def config_folder() -> Path:
    """Return the folder of this package's configs, installed or in a clone."""
    package = Path(__file__).parents[1]
    installed = package / '.mim' / 'configs'
    return installed if installed.is_dir() else package.parent / 'configs'


def host_config_folder(host: str) -> Path:
    """Return the folder of a host's stock configs.

    Raises:
        UserError: The host is not installed.
    """
    try:
        module = importlib.import_module(host)
    except ImportError as error:
        raise UserError(f"'{host}:' needs {host}: pip install {HOSTS[host]}") from error
    return Path(inspect.getfile(module)).parent / '.mim' / 'configs'


def host_config(name: str) -> Path | None:
    """Find ``mmseg:FOLDER/FILE.py`` among the configs that a host brings; None for other names.

    Raises:
        UserError: The host is known, and it or the file is not there.
    """
    host, _, rest = name.partition(':')
    if host not in HOSTS or not rest.endswith('.py'):
        return None
    folder = host_config_folder(host)
    path = folder / rest
    if path.is_file():
        return path
    known = [p.relative_to(folder).as_posix() for p in folder.glob('*/*.py')]
    near = [name for name in known if name.startswith(rest.removesuffix('.py'))][:3]
    near = near or difflib.get_close_matches(rest, known, n=3, cutoff=0.4)
    hint = ', '.join(f'{host}:{n}' for n in near)
    hint = f'did you mean {hint}?' if hint else f"they are in '{folder}'"
    raise UserError(f"{host} has no stock config '{rest}': {hint}")


def load_config(name: str, options: Sequence[str] | Mapping[str, Any] = ()) -> Config:
    """Load a config by path, or one of this package's by name, and change it.

    Args:
        name: Path or name.
        options: ``KEY=VALUE`` texts, or values by key. A key is dotted (``train_cfg.max_iters``),
            or a variable of the config (``crop_size``, ``augment.zoom``): all that was made from it
            follows.

    Raises:
        UserError: There is no such config, it does not parse, or an option is malformed.
    """
    path = find_config(name)
    changes = options if isinstance(options, Mapping) else _parse(options, path)
    cfg = read_config(path)
    try:
        _check_known(changes, cfg, path)
        variables = {k: v for k, v in changes.items() if k in cfg and not isinstance(v, Mapping)}
        inside = _changed_inside(changes, cfg)
        before = cfg
        if variables or inside:
            cfg = _read(path, variables, inside)
        followed = copy.deepcopy(cfg)
        cfg.merge_from_dict(dict(changes))
        _check_followed(before, followed, cfg, {*variables, *inside}, path)
    except UserError:
        raise
    except Exception as error:  # values are handed to the config's own code
        what = f'--cfg-options {", ".join(changes)} do not fit config {path}'
        raise UserError(f'{what}: {one_line(error)}') from error
    join_preprocessor(cfg)
    return cfg


def kind_of(part: Mapping) -> str:
    """Return the type of a part without the package that it is from; empty where it has none."""
    kind = part.get('type') or ''
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def hook_names(cfg: Config) -> list[str]:
    """List the kinds of a config's custom hooks."""
    return [kind_of(hook) for hook in cfg.get('custom_hooks') or ()]


def put_hook(cfg: Config, hook: dict) -> None:
    """Put a custom hook in, in place of those of its type: two would do it twice."""
    others = [other for other in cfg.get('custom_hooks') or () if kind_of(other) != kind_of(hook)]
    cfg.custom_hooks = [*others, hook]


def join_preprocessor(cfg: Config) -> None:
    """Move a preprocessor that stands beside the model into it, where the host's runner puts it."""
    model = cfg.get('model')
    if isinstance(model, dict) and model.get('data_preprocessor') is None:
        beside = cfg.pop('data_preprocessor', None)
        if beside is not None:
            model['data_preprocessor'] = beside


# What a run reads at the top of a config, beside the runner's own parts.
_READ = {
    'auto_scale_lr', 'custom_imports', 'find_unused_parameters', 'model_wrapper_cfg', 'sync_bn',
    'tta_model', 'tta_pipeline',
}  # fmt: skip


def _changed_inside(changes: Mapping[str, Any], cfg: Config) -> dict[str, dict[str, Any]]:
    """Group the changes inside of what a config names for itself, by that name."""
    own = {*cfg} - _names_read(cfg)
    inside: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        root = key.partition('.')[0]
        if root in own and (root != key or isinstance(value, Mapping)):
            inside.setdefault(root, {})[key] = value
    return inside


def _names_read(cfg: Config) -> set[str]:
    from mmengine.runner import Runner

    read = {*inspect.signature(Runner.__init__).parameters, *_READ}
    model = cfg.get('model')
    if isinstance(model, Mapping) and 'data_preprocessor' in model:
        read.remove('data_preprocessor')  # the model's own is taken, which the other may be part of
    return read


def _check_known(changes: Mapping[str, Any], cfg: Config, path: Path) -> None:
    """Refuse a name that nothing reads: a mistyped one would do nothing, and not say so."""
    known = {*cfg, *_names_read(cfg)}
    for key in changes:
        name = key.partition('.')[0]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or ['model', 'train_cfg']
            raise UserError(f"config '{path}' has no '{name}': did you mean {' or '.join(near)}?")


def _check_followed(
    before: Config, followed: Config, after: Config, variables: Iterable[str], path: Path
) -> None:
    """Refuse another value for what nothing is made from: it would do nothing, and not say so."""
    read = _names_read(before)
    plain = [key for key in variables if key not in read and before[key] != after[key]]
    if plain and all(before.get(key) == followed[key] for key in followed if key not in variables):
        raise UserError(
            f"nothing in config '{path}' is made from its '{plain[0]}': change the settings "
            'themselves, as in model.backbone.arch=...'
        )


def _parse(options: Sequence[str], path: Path) -> dict[str, Any]:
    from mmengine.config import DictAction

    malformed = [option for option in options if '=' not in option]
    if malformed:
        raise UserError(f"option '{malformed[0]}' is not KEY=VALUE")
    for option in options:
        key, _, value = option.partition('=')
        if _DICT.match(value):  # the host would take it for words
            raise UserError(f"option '{option}': name each key by a dot, as in {key}.type=...")
    parser = argparse.ArgumentParser(exit_on_error=False)  # the host's reading of values
    parser.add_argument('--cfg-options', nargs='*', action=DictAction, default={})
    try:
        return parser.parse_args(['--cfg-options', *options]).cfg_options
    except (AssertionError, argparse.ArgumentError) as error:
        raise UserError(f'--cfg-options do not fit config {path}: {one_line(error)}') from error


def read_config(path: str | Path) -> Config:
    """Load a config; whatever is wrong with it is said in one line.

    Types are names, in configs of pure Python (``read_base``) too, where they are classes.
    """
    try:
        return _read(Path(path))
    except ImportError as error:
        raise UserError(_missing_import(Path(path), error)) from error
    except Exception as error:  # a config runs any code
        raise UserError(f"config '{path}' does not load: {one_line(error)}") from error


def _read(
    path: Path,
    variables: Mapping[str, Any] | None = None,
    inside: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    from mmengine.config import Config

    with _silent_on_variables():
        if variables or inside:
            return _plain(read_with(path, variables or {}, inside or {}))
        return _plain(Config.fromfile(path))


@contextmanager
def _silent_on_variables() -> Iterator[None]:
    """Keep mmengine from saying, of each base anew, that it put in an environment variable."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    logger.addFilter(_is_no_variable)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_variable)


def _is_no_variable(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith('Using env variable')


def _plain(cfg: Config) -> Config:
    """Turn the classes of a pure-Python config into the names of the hosts' registries.

    A copy of it that a host wrote into a work dir has their paths. Neither needs a scope; ours
    tell by it whose model it is.
    """
    from mmengine.config import Config

    values = cfg.to_dict()
    named = change_dicts(values, _with_names)
    if named.get('default_scope', '') is None:
        host = str((named.get('model') or {}).get('type')).partition('.')[0]
        host = 'mmseg' if host == 'sacm_mm' else host  # what our own models are made of
        named['default_scope'] = host if host in HOSTS else 'mmengine'
    return cfg if named == values else Config(named, filename=cfg.filename)


def test_pipeline(cfg: Mapping) -> list[Any]:
    """Return the transforms of a config's test data, of the first set where there are several.

    A training without test data leaves a config that has them by the name ``test_pipeline`` alone.
    """
    return list(_test_dataset(cfg).get('pipeline') or cfg.get('test_pipeline') or ())


def loads_rgb(cfg: Mapping) -> bool:
    """Tell whether test pictures come to a config's preprocessor as RGB.

    The hosts' loaders give BGR, ``LoadPicture`` the order of the file, which is RGB, and so do the
    data sets of mmpretrain that hold pictures of colours themselves.
    """
    parts = [_test_dataset(cfg), *test_pipeline(cfg)]
    kinds = [kind_of(part) for part in parts]
    return kinds[0] in ('CIFAR10', 'CIFAR100') or 'LoadPicture' in kinds


def _test_dataset(cfg: Mapping) -> Mapping:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in dataset and ('dataset' in dataset or 'datasets' in dataset):
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    return dataset


def differences(before: Any, after: Any, path: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Yield where two configs of plain values differ, by dotted name, with what stands there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            pair = before.get(key, '(missing)'), after.get(key, '(missing)')
            yield from differences(*pair, f'{path}.{key}'.lstrip('.'))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, pair in enumerate(zip(before, after)):
            yield from differences(*pair, f'{path}.{i}')
    elif before != after or type(before) is not type(after):
        yield path, before, after


def as_list(value: Any) -> list[Any]:
    """List what a config has in a list, alone, or not at all."""
    return [*value] if isinstance(value, (list, tuple)) else [value] if value else []


def change_dicts(value: Any, change: Callable[[dict], Any]) -> Any:
    """Copy a part of a config with each of its dicts changed, the inner ones first."""
    if isinstance(value, Mapping):
        return change({key: change_dicts(item, change) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return type(value)(change_dicts(item, change) for item in value)
    return value


def _with_names(part: dict) -> dict:
    kind = part.get('type')
    if isinstance(kind, str) and kind.count('.') > 1:
        return {**part, 'type': _registered_name(kind)}
    return part


def _registered_name(dotted: str) -> str:
    """Shorten ``mmseg.models.segmentors.EncoderDecoder`` to ``mmseg.EncoderDecoder``."""
    from mmengine import registry
    from mmengine.utils import get_object_from_string

    wanted = get_object_from_string(dotted)
    if wanted is None:
        return dotted
    package, name = dotted.partition('.')[0], dotted.rpartition('.')[2]
    scoped = f'{package}.{name}'
    # text configs name these two without a scope, and so does whoever compares
    for short in (name, scoped) if package in ('mmengine', 'mmcv') else (scoped, name):
        for root in vars(registry).values():
            if not isinstance(root, registry.Registry):
                continue
            try:
                if root.get(short) is wanted:
                    return short
            except (KeyError, ImportError, RuntimeError):  # a scope that this registry lacks
                continue
    return dotted  # the host builds from the whole path too


def _missing_import(path: Path, error: ImportError) -> str:
    """Say which module a config needs, and how to install it where that is known."""
    found = re.search(r"'imports': ('[^']+'|\[[^\]]*\])", str(error))
    what = found.group(1).replace("'", '').strip('[]') if found else one_line(error)
    *_, first = causes(error)  # a package of its own may be absent
    absent = first.name.partition('.')[0] if isinstance(first, ImportError) and first.name else ''
    if absent and absent not in what:
        what += f", for '{absent}' is absent: pip install {absent}"
    elif 'mmdet' in what:
        what += f': pip install {HOSTS["mmdet"]}'
    return f"config '{path}' needs a module that does not import: {what}"


def config_text(cfg: Mapping[str, Any], head: Sequence[str] = ()) -> str:
    """Write a config as text that needs no other file.

    Args:
        cfg: The config, or its values.
        head: Lines of comments for the top, without ``#``.
    """
    from mmengine.config import Config

    values = cfg.to_dict() if isinstance(cfg, Config) else dict(cfg)
    lines = [f'# {line}'.rstrip() for line in head]
    lines += [f'{key} = {pformat(value, width=100)}' for key, value in values.items()]
    return '\n'.join(lines) + '\n'


def write_config(cfg: Mapping[str, Any], path: str | Path, head: Sequence[str] = ()) -> None:
    """Write what ``config_text`` returns, whole or not at all."""
    write_text(config_text(cfg, head), path)


def open_data_root(text: str) -> str:
    """Leave the folder of the data sets to ``$SACM_DATA`` again, in the text of a config."""
    root = os.environ.get('SACM_DATA', 'data')
    return text.replace(f"'{root}/", "'{{$SACM_DATA:data}}/")
