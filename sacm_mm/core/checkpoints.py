"""Find, read and check files of weights, without running anything that is in them."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from sacm_mm.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

# What training tools save beside the weights: command lines, learning curves, schedules.
_BYSTANDERS = re.compile(r'argparse\.Namespace|builtins\.getattr|(mmengine|numpy)\..+')
# Where training tools put the weights; timm's averaged ones first. (mmengine's `state_dict` is the
# averaged one already, where there is one.)
_PLACES = ('state_dict_ema', 'state_dict', 'model', 'model_state_dict')
# What wrappers put in front of every name: nn.DataParallel and DDP, torch.compile, EMA.
_WRAPPERS = ('module.', '_orig_mod.', 'model.module.')


class _Inert:
    """Stands where a file has an object of no interest: any arguments, any state, no effect."""

    def __init__(self, *args) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def find_checkpoint(path: str | Path, best: bool = False) -> str:
    """Return a checkpoint file: ``path`` itself, or that of a work dir.

    A work dir is judged by its files: ``last_checkpoint`` may be torn, or name a file elsewhere.

    Args:
        path: A file of weights or a work dir; an address (``https://``) is returned as it is.
        best: Of a work dir take the best by validation, where there is one; by default the newest.

    Raises:
        UserError: There is none, or it is damaged.
    """
    if '://' in str(path):
        return str(path)
    path = Path(path)
    if path.is_dir():
        return str(_of_work_dir(path, best))
    if not path.is_file():
        raise UserError(f"checkpoint '{path}' does not exist")
    if not is_whole(path):
        raise UserError(f"checkpoint '{path}' is damaged or not PyTorch's: take another one")
    return str(path)


def checkpoints_in(folder: Path) -> list[Path]:
    """List the checkpoints of a work dir, the newest first; not those that were never finished."""
    files = [p for p in folder.glob('*.pth') if p.is_file() and not p.name.startswith('.')]
    return sorted(files, key=_progress, reverse=True)


def _of_work_dir(folder: Path, best: bool) -> Path:
    files = checkpoints_in(folder)
    for candidate in sorted(files, key=lambda path: path.name.startswith('best_') != best):
        if is_whole(candidate):
            return candidate
    if files:
        raise UserError(f"no checkpoint in '{folder}' is whole: {files[0].name} is damaged")
    raise UserError(f"no checkpoint in '{folder}'")


def _progress(path: Path) -> tuple[int, float]:
    """Sort by the step in a name: copies and restored backups have times of their own."""
    numbers = re.findall(r'\d+', path.stem)
    return (int(numbers[-1]) if numbers else -1, path.stat().st_mtime)


def is_whole(path: str | Path) -> bool:
    """Tell whether a file of weights has its end.

    That is a zip archive, whose table is at the end; a pickle, as before PyTorch 1.6; or
    safetensors, whose header says how long it is.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return _safetensors_is_whole(path)
    with path.open('rb') as file:
        is_pickle = file.read(2) == b'\x80\x02'
    return is_pickle or zipfile.is_zipfile(path)


def _safetensors_is_whole(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework='pt'):
            return True
    except (SafetensorError, OSError):
        return False


def load_checkpoint(path: str | Path, trust: bool = False) -> dict[str, Any]:
    """Read a checkpoint onto the CPU.

    Args:
        path: A PyTorch file or ``.safetensors``.
        trust: Let a file that needs it run code of its own, as ``torch.load`` once did. Only for
            files whose maker one knows.

    Returns:
        What is in the file; bare weights as ``{'state_dict': ...}``. Objects that are neither
        numbers nor tensors are left out.

    Raises:
        UserError: The file wants to run code, is damaged, or is no checkpoint.
    """
    path = Path(path)
    if path.suffix == '.safetensors':
        return {'state_dict': _load_safetensors(path)}
    content = _load(path, trust)
    if not isinstance(content, Mapping):
        raise UserError(f"'{path}' holds no weights: save a model's state_dict() with torch.save")
    if not any(place in content for place in _PLACES):
        return {'state_dict': content}
    _drop_functions(content)
    return dict(content)


def _drop_functions(content: Mapping[str, Any]) -> None:
    """Leave out the functions that mmengine's one-cycle schedule pickles; it makes them anew."""
    schedulers = content.get('param_schedulers') or []
    groups = schedulers.values() if isinstance(schedulers, Mapping) else [schedulers]
    for state in (state for group in groups for state in group):
        for key in [key for key, value in state.items() if isinstance(value, _Inert)]:
            del state[key]


def state_dict_of(checkpoint: Mapping[str, Any], path: str | Path = '') -> dict[str, Tensor]:
    """Take the weights out of a checkpoint, by the names that the model itself gives them.

    Averaged weights (``state_dict_ema``) come before the others, and what wrappers put in front of
    the names (``module.``, ``_orig_mod.``) is taken off.

    Args:
        checkpoint: What ``load_checkpoint`` gives.
        path: The file, for messages.

    Raises:
        UserError: There are no weights.
    """
    from torch import Tensor

    place = next((key for key in _PLACES if key in checkpoint), '')
    found: Any = checkpoint[place] if place else checkpoint
    if (
        not isinstance(found, Mapping)
        or not found
        or not all(isinstance(key, str) for key in found)
        or not all(isinstance(tensor, Tensor) for tensor in found.values())
    ):
        raise UserError(f"'{path}' holds no weights: save a model's state_dict() with torch.save")
    names, taken_off = list(found), ''
    while prefix := next((w for w in _WRAPPERS if all(n.startswith(w) for n in names)), ''):
        names = [name.removeprefix(prefix) for name in names]
        taken_off += prefix
    if place not in ('', 'state_dict') or taken_off:
        without = f", without '{taken_off}' before each name" if taken_off else ''
        _say(f"note: weights of '{path}' taken from '{place or 'the file'}'{without}")
    return dict(zip(names, found.values()))


def _say(text: str) -> None:
    """Log a line in a run, which shows it too; print it elsewhere."""
    from mmengine.logging import MMLogger

    if MMLogger._instance_dict:
        MMLogger.get_current_instance().info(text)
    else:
        print(text)


def read_weights(path: str | Path, trust: bool = False) -> dict[str, Tensor]:
    """Read the weights of a checkpoint or a bare state dict; see the two functions above."""
    return state_dict_of(load_checkpoint(path, trust), path)


def dataset_meta_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a checkpoint says of the data that it was trained on; may be empty."""
    meta = checkpoint.get('meta')
    found = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def check_weights(model: nn.Module, found: Mapping[str, Tensor], path: str | Path) -> None:
    """Compare weights with the model: the host loads what fits and goes on with the rest.

    Args:
        model: The model that is to have them.
        found: The weights, by the model's names.
        path: The file, for messages.

    Raises:
        UserError: A tensor is missing, has another shape or type, has values that are not finite,
            or belongs to a layer more than the model has.
    """
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - found.keys())
    other = [k for k in wanted.keys() & found.keys() if wanted[k].shape != found[k].shape]
    if missing or other:
        name = (missing or sorted(other))[0]
        what = (
            'is missing'
            if missing
            else f'has the shape {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}'
        )
        raise UserError(
            f"checkpoint '{path}' is of another model than the config: {name} {what} "
            f'({len(missing) + len(other)} of {len(wanted)} tensors do not fit)'
        )
    # what else a file holds is of no harm, such as heads of training; a cut off network is
    numbered = {_without_numbers(name) for name in wanted}
    for name in found.keys() - wanted.keys():
        if _without_numbers(name) in numbered and not name.startswith('auxiliary_head.'):
            raise UserError(
                f"checkpoint '{path}' is of a deeper model than the config: it has {name}, too"
            )
    for name in wanted:
        if wanted[name].is_floating_point() != found[name].is_floating_point():
            raise UserError(
                f"checkpoint '{path}' holds {found[name].dtype} in {name}, where the model has "
                f'{wanted[name].dtype}: take the weights before they were quantized'
            )
        if found[name].is_floating_point() and not found[name].isfinite().all():
            raise UserError(
                f"checkpoint '{path}' holds values that are not finite in {name}: the training "
                'diverged, take an earlier checkpoint'
            )


@contextmanager
def some_fit(model: nn.Module, path: str | Path) -> Iterator[None]:
    """Look whether a model gets weights of a file: the host goes on with those that it had.

    Args:
        model: The model that the host loads into, in this context.
        path: The file, for messages.

    Raises:
        UserError: Not one of its kernels and matrices was set.
    """
    kernels = {name: p for name, p in model.named_parameters() if p.ndim > 1}
    before = {name: p._version for name, p in kernels.items()}  # counts what is written into it
    yield
    if kernels and all(p._version == before[name] for name, p in kernels.items()):
        raise UserError(
            f"none of the weights in '{path}' fit the {type(model).__name__}: take a file that "
            f"holds '{next(iter(kernels))}', of the same size, or those of a part by "
            "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.') in that part"
        )


def _without_numbers(name: str) -> str:
    return re.sub(r'\d+', '*', name)


def load_safely(trust: bool = False) -> None:
    """Have mmengine read every checkpoint of this process by ``load_checkpoint``.

    mmengine falls back to unpickling, which runs what a file says. Nor does ``init_cfg`` go on
    without weights then, see ``some_fit``.

    Args:
        trust: See ``load_checkpoint``.
    """
    from mmengine.model import PretrainedInit
    from mmengine.registry import WEIGHT_INITIALIZERS
    from mmengine.runner import CheckpointLoader

    class CheckedInit(PretrainedInit):
        def __call__(self, module: nn.Module) -> None:
            with some_fit(module, self.checkpoint):
                super().__call__(module)

    WEIGHT_INITIALIZERS.register_module('Pretrained', force=True, module=CheckedInit)

    # mmengine logs what stands after load_from_
    def load_from_file(filename: str, map_location: Any = None, **_: Any) -> dict[str, Any]:
        web = re.match('https?://', filename)
        path = _download(filename) if web else Path(filename).expanduser()
        if not path.is_file():
            raise UserError(f"checkpoint '{filename}' does not exist")
        checkpoint = load_checkpoint(path, trust)
        return {**checkpoint, 'state_dict': state_dict_of(checkpoint, path)}

    for prefix in ('', 'http://', 'https://'):
        CheckpointLoader.register_scheme(prefixes=prefix, loader=load_from_file, force=True)


def _download(address: str) -> Path:
    """Fetch a file once into PyTorch's own cache."""
    import torch

    folder = Path(torch.hub.get_dir(), 'checkpoints')
    path = folder / Path(urlparse(address).path).name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(path))
        except OSError as error:
            raise UserError(f"cannot fetch '{address}': {error}") from error
    return path


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def _load(path: Path, trust: bool) -> Any:
    import torch

    try:
        if trust:
            return torch.load(path, map_location='cpu', weights_only=False)
        _check_archive(path)
        with torch.serialization.safe_globals(_allowed(path)), _statistics_kept():
            return torch.load(path, map_location='cpu', weights_only=True)
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        wanted = re.search(r'GLOBAL (\S+)', str(error))
        if wanted is None:
            raise _damaged(path) from error
        raise UserError(
            f"'{path}' is refused, it asks for '{wanted.group(1)}': a file of weights runs no "
            "code, save the model's state_dict() alone (--trust runs it, if you know its maker)"
        ) from error
    except Exception as error:  # which ones a damaged archive raises is not documented
        raise _damaged(path) from error


@contextmanager
def _statistics_kept() -> Iterator[None]:
    """Keep how curves are averaged: one that is loaded sets it for all, to the inert stand-ins."""
    from mmengine.logging import HistoryBuffer

    methods = dict(HistoryBuffer._statistics_methods)
    try:
        yield
    finally:
        HistoryBuffer._statistics_methods.clear()
        HistoryBuffer._statistics_methods.update(methods)


def _check_archive(path: Path) -> None:
    """Refuse an archive that unpacks to more than the file holds: PyTorch compresses nothing."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise UserError(f"'{path}' is refused: it unpacks to more than it holds")


def _allowed(path: Path) -> list[Any]:
    """Name what may be made besides tensors: learning curves, and inert stand-ins for the rest."""
    import torch

    if not zipfile.is_zipfile(path):  # as PyTorch saved before 1.6
        return []
    import numpy as np
    from mmengine.logging import HistoryBuffer

    real: dict[str, Any] = {
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        'numpy._core.multiarray._reconstruct': np._core.multiarray._reconstruct,  # type: ignore
        'numpy.core.multiarray._reconstruct': np._core.multiarray._reconstruct,  # type: ignore
        'numpy._core.multiarray.scalar': np._core.multiarray.scalar,  # type: ignore
        'numpy.core.multiarray.scalar': np._core.multiarray.scalar,  # type: ignore
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
    }
    allowed: list[Callable | tuple[Callable, str]] = [
        type(np.dtype(kind)) for kind in (np.uint32, np.int64, np.float32, np.float64)
    ]
    for name in torch.serialization.get_unsafe_globals_in_checkpoint(path):
        if name in real:
            allowed.append((real[name], name))
        elif _BYSTANDERS.fullmatch(name):
            allowed.append((_Inert, name))
    return allowed


def _damaged(path: Path) -> UserError:
    return UserError(f"'{path}' is damaged or not PyTorch's: take another copy")
