"""What a model's name means: a work dir, a folder of results, a config, a file of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from torch import Tensor, nn

from sacm_mm.core.checkpoints import check_weights, checkpoints_in, find_checkpoint
from sacm_mm.core.configs import config_folder, find_config, load_config
from sacm_mm.core.errors import UserError, did_you_mean
from sacm_mm.deploy.runtimes import is_exported, load_exported

# of a config; a script beside it that says `model = sacm_mm.load(...)` is none, and is not run
_LEAF = re.compile(r'^(model *= *(dict\(|\{)|_base_\b|with read_base\b)', re.MULTILINE)


def find_model(
    name: str | Path | Config,
    checkpoint: str | Path | None = None,
    options: Sequence[str] = (),
) -> tuple[Config, str]:
    """Find the config and the weights that a name stands for.

    Args:
        name: A work dir or another folder that holds a config and weights; the name of one of the
            published results (``camvid_light``); a file of weights or an exported one, its config
            beside it; or a config, also a loaded one, with ``checkpoint``.
        checkpoint: Weights other than those that ``name`` has: a file, or a work dir for its best.
        options: Changes of the config, ``KEY=VALUE``.

    Returns:
        The config, and the path of a checkpoint or of an exported file.

    Raises:
        UserError: There is no config or there are no weights.
    """
    if isinstance(name, Config):
        if checkpoint is None:
            raise UserError('name the weights of the config')
        return name, _weights(checkpoint)
    given = Path(name)
    published = _published(str(name))
    if given.is_dir() or (published is not None and not given.exists()):
        folder = given if given.is_dir() else published
        assert folder is not None
        config = own_config(folder)
        if config is None:
            raise UserError(f"'{folder}' holds no config: name a work dir, or a config and weights")
        return _load(config, options), _weights(checkpoint or folder)
    if given.is_file() and given.suffix != '.py':
        if checkpoint is not None:
            raise UserError(f"'{given}' is a file of weights already: name a config before it")
        return _load(_config_of(given), options), _weights(given)
    if checkpoint is None:
        raise UserError(_why_none(str(name), options))
    return _load(name, options), _weights(checkpoint)


def own_config(folder: Path) -> Path | None:
    """Return the config that a run or a conversion left in a folder, the newest if several."""
    found = sorted(folder.glob('*.py'), key=lambda path: path.stat().st_mtime, reverse=True)
    return next(
        (path for path in found if _LEAF.search(path.read_text('utf-8', errors='replace'))), None
    )


def _load(config: str | Path, options: Sequence[str]) -> Config:
    cfg = load_config(str(config), options)
    cfg.load_from, cfg.resume = None, False  # of the training that left it
    return cfg


def _weights(path: str | Path) -> str:
    if is_exported(path) or Path(path).is_file():  # published weights have loaders of their own
        return str(path)
    folder = Path(path)
    if folder.is_dir() and not checkpoints_in(folder):
        others = [p for p in sorted(folder.iterdir()) if is_exported(p)]
        found = [*sorted(folder.glob('*.safetensors')), *others]
        if found:
            return str(found[0])
    return find_checkpoint(path, best=True)


def _why_none(name: str, options: Sequence[str]) -> str:
    """Say what a name is that has no weights, and which name may be meant."""
    try:
        path = find_config(name)
    except UserError as error:
        if name.endswith('.py'):
            return str(error)
        known = [folder.name for folder in _results().glob('*') if _is_whole(folder)]
        hint = did_you_mean(Path(name).name, known, "name a folder of 'sacm train'")
        return f"there is no folder, file, published model or config named '{name}': {hint}"
    load_config(str(path), options)  # what is wrong with it comes first
    published = path.stem.removeprefix('sacm_')
    hint = f", or its published model '{published}'" if _published(published) else ''
    return f"'{name}' is a config alone: name its weights after it, or a work dir{hint} instead"


def _published(name: str) -> Path | None:
    """Find a folder of results in a clone."""
    folder = _results() / name
    return folder if re.fullmatch(r'\w+', name) and _is_whole(folder) else None


def _results() -> Path:
    return config_folder().resolve().parent / 'results'


def _is_whole(folder: Path) -> bool:
    return folder.is_dir() and own_config(folder) is not None and bool(checkpoints_in(folder))


def _config_of(weights: Path) -> str | Path:
    """Find the config beside a file of weights, or that an exported file names."""
    if (config := _config_beside(weights)) is not None:
        return config
    if weights.suffix == '.onnx':
        named = load_exported(weights).meta.get('config')
        if named:
            return _named_config(Path(str(named)), weights)
    raise UserError(f"there is no config beside '{weights}': name the config before it")


def _config_beside(weights: Path) -> Path | None:
    beside = weights.with_suffix('.py')
    return beside if beside.is_file() else own_config(weights.parent)


def _named_config(named: Path, weights: Path) -> str | Path:
    """Return the config of what a file was exported from: of ours, or of this project's folder.

    Raises:
        UserError: It lies elsewhere. A config is code, and a file that somebody made runs none.
    """
    roots = (Path.cwd(), weights.parent.resolve(), config_folder().resolve())
    if named.exists() and not any(named.resolve().is_relative_to(root) for root in roots):
        raise UserError(
            f"'{weights}' names the config '{named}', which is not in this folder: a config runs "
            'code, name it before the file if you know it'
        )
    if named.is_file() and named.suffix != '.py':  # weights
        return _config_beside(named.resolve()) or str(named)
    folder = named if named.is_dir() else _published(str(named))
    return (folder and own_config(folder)) or str(named)


def check_weights_of(
    model: nn.Module, weights: Mapping[str, Tensor], path: str | Path, cfg: Config
) -> None:
    """Compare weights with a config's model, and name the config that they were trained with.

    Raises:
        UserError: They do not fit.
    """
    try:
        check_weights(model, weights, path)
    except UserError as error:
        own = own_config(Path(path).parent)
        if own is None or (cfg.filename and own.samefile(cfg.filename)):
            raise
        raise UserError(
            f"{error}; it was trained with '{own}': name its folder '{own.parent}' alone"
        ) from error
