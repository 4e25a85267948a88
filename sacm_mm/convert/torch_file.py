"""PyTorch files, read without running anything that is in them."""

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sacm_mm.errors import UserError

# What training tools save beside the weights: command lines, learning curves, schedules.
_BYSTANDERS = re.compile(r'argparse\.Namespace|builtins\.getattr|(mmengine|numpy)\..+')


class _Inert:
    """Stands where a file has an object of no interest: any arguments, any state, no effect."""

    def __init__(self, *args) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the weights and the ``meta`` of a checkpoint or of a bare state dict.

    Raises:
        UserError: The file wants to run code, is damaged, or holds no weights.
    """
    content = _load(path)
    meta = content.get('meta', {}) if isinstance(content, Mapping) else {}
    state_dict = content
    if isinstance(content, Mapping) and 'state_dict' in content:
        state_dict = content['state_dict']
    if (
        not isinstance(state_dict, Mapping)
        or not state_dict
        or not all(isinstance(tensor, Tensor) for tensor in state_dict.values())
    ):
        raise UserError(f"'{path}' holds no weights: save a model's state_dict() with torch.save")
    # nn.DataParallel, in which CIFAR-10 networks are often trained, puts a name in front of all
    parallel = all(key.startswith('module.') for key in state_dict)
    tensors = {key.removeprefix('module.') if parallel else key: t for key, t in state_dict.items()}
    return tensors, meta if isinstance(meta, Mapping) else {}


def _load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_stand_ins(path)):
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r'GLOBAL (\S+)', str(error))
        if wanted is None:
            raise _damaged(path) from error
        raise UserError(
            f"'{path}' is refused, it asks for '{wanted.group(1)}': a file of weights runs no "
            "code, save the model's state_dict() alone"
        ) from error
    except Exception as error:  # which ones a damaged archive raises is not documented
        raise _damaged(path) from error


def _stand_ins(path: Path) -> list[tuple[type, str]]:
    """Name what may be replaced by something inert; all else that is not a tensor is refused."""
    if not zipfile.is_zipfile(path):  # as PyTorch saved before 1.6
        return []
    names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    return [(_Inert, name) for name in names if _BYSTANDERS.fullmatch(name)]


def _damaged(path: Path) -> UserError:
    return UserError(f"'{path}' is damaged or not PyTorch's: take another copy")
