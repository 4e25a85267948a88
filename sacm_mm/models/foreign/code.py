"""Find and build networks of other people's code."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from sacm_mm.core.errors import UserError, causes, did_you_mean, one_line

HUGGING_FACE = 'hf'
TORCHVISION = 'torchvision'


def build_network(
    network: Mapping, python_path: Sequence[str] = (), imports: Sequence[str] = ()
) -> nn.Module:
    """Build a network by its type.

    Args:
        network: ``type`` and the arguments: ``'package.module:Class'``, a class or a function that
            returns a network; ``'hf:swin'``, a model type of transformers, whose arguments are
            those of its config; ``'torchvision:resnet18'``; or a type of the registries.
        python_path: Folders from which its code is imported.
        imports: Modules that register the type.

    Raises:
        UserError: There is no such code, or what it makes is no ``torch.nn.Module``.
    """
    add_to_path(python_path)
    for module in imports:
        import_module(module, python_path)
    arguments = dict(network)
    kind = str(arguments.pop('type'))
    source, colon, name = kind.partition(':')
    if not colon:
        from mmengine.registry import MODELS

        made = MODELS.build(dict(network))
    elif source == HUGGING_FACE:
        made = hugging_face_network(name, arguments)
    elif source == TORCHVISION:
        made = torchvision_network(name, arguments)
    else:
        make = find_code(kind, python_path)
        made = make(**arguments)
    if not isinstance(made, nn.Module):
        raise UserError(f'{kind} makes a {type(made).__name__}, not a torch.nn.Module')
    return made


def add_to_path(folders: Sequence[str]) -> None:
    """Put folders where ``PYTHONPATH`` would have put them.

    Raises:
        UserError: One is not there.
    """
    for folder in reversed(folders):
        if not Path(folder).is_dir():
            raise UserError(
                f"python_path has '{folder}', which is no folder: set model.backbone.python_path "
                'to where the code of the network is now'
            )
        if folder not in sys.path:
            sys.path.insert(0, folder)


def import_module(name: str, python_path: Sequence[str] = ()) -> ModuleType:
    """Import a module, from ``python_path`` where it has folders.

    Raises:
        UserError: It does not import, or another module of its name was imported before.
    """
    try:
        module = importlib.import_module(name)
    except Exception as error:  # a module runs any code
        *_, first = causes(error)
        absent = first.name if isinstance(first, ImportError) else None
        if absent and (name == absent or name.startswith(f'{absent}.')):
            raise UserError(
                f"there is no module '{name}': give the file, or put its folder into PYTHONPATH"
            ) from error
        raise UserError(f"module '{name}' does not import: {one_line(first)}") from error
    file = getattr(module, '__file__', None)
    places = [file] if file else [*getattr(module, '__path__', ())]
    if python_path and not any(
        Path(place).resolve().is_relative_to(Path(folder).resolve())
        for place in places
        for folder in python_path
    ):
        raise UserError(
            f"module '{name}' was imported from {places[0] if places else 'elsewhere'}, not from "
            f'{", ".join(python_path)}: two modules share a name, rename yours'
        )
    return module


def find_code(kind: str, python_path: Sequence[str] = ()) -> Callable[..., Any]:
    """Find ``package.module:Class``.

    Raises:
        UserError: The module does not import, has no such name, or it is no network's class.
    """
    name, _, attribute = kind.partition(':')
    module = import_module(name, python_path)
    found = getattr(module, attribute, None)
    if found is None:
        known = [
            key for key, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, nn.Module)
            and value.__module__ == module.__name__
        ]  # fmt: skip
        otherwise = f'it defines {", ".join(known[-5:]) or "no network"}'
        hint = did_you_mean(attribute, known, otherwise)
        raise UserError(f"module '{name}' has no '{attribute}': {hint}")
    if inspect.isclass(found) and not issubclass(found, nn.Module):
        raise UserError(f'{kind} is a class, but not of torch.nn.Module: name the network itself')
    if not callable(found) or isinstance(found, nn.Module):
        raise UserError(f'{kind} is no class and no function that makes a network')
    return found


def hugging_face_network(model_type: str, arguments: Mapping) -> nn.Module:
    """Build a backbone of transformers from the values of its config; no weights are loaded.

    Raises:
        UserError: transformers is not installed, or has no backbone of that type.
    """
    try:
        from transformers import AutoBackbone, AutoConfig
        from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING_NAMES
    except ImportError as error:
        raise UserError(
            f"'hf:{model_type}' needs transformers: pip install 'transformers<5'"
        ) from error
    known = list(MODEL_FOR_BACKBONE_MAPPING_NAMES)
    if model_type not in known:
        hint = did_you_mean(model_type, known, f'it has {", ".join(known[:8])} and others')
        raise UserError(f"transformers has no backbone '{model_type}': {hint}")
    return AutoBackbone.from_config(AutoConfig.for_model(model_type, **arguments))


def torchvision_network(name: str, arguments: Mapping) -> nn.Module:
    """Build a network of torchvision without weights.

    Raises:
        UserError: torchvision has none of that name.
    """
    from torchvision import models

    known = models.list_models()
    if name not in known:
        hint = did_you_mean(name, known, 'torchvision.models.list_models() lists them')
        raise UserError(f"torchvision has no model '{name}': {hint}")
    return models.get_model(name, weights=None, **arguments)
