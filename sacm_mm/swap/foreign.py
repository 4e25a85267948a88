"""Other people's code, by name: files, modules, transformers and torchvision."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope

from sacm_mm.core.configs import HOSTS
from sacm_mm.core.errors import UserError
from sacm_mm.models.foreign.code import (
    HUGGING_FACE,
    TORCHVISION,
    add_to_path,
    build_network,
    find_code,
    hugging_face_network,
    import_module,
)
from sacm_mm.swap.dry_run import build_dry, no_network, quiet
from sacm_mm.swap.sources import absolute_files, module_of_file, needed_path
from sacm_mm.swap.survey import Size, Survey, chosen_maps, suggest_layers, survey

TYPE = 'sacm_mm.ForeignBackbone'
_NAME = re.compile(
    r'(?P<where>[^:()@]+):(?P<what>[^():@]+)(\((?P<arguments>.*)\))?(@(?P<layers>[\w.,\s]+))?',
    re.DOTALL,
)
_IMAGE_CHANNELS = ('in_channels', 'in_chans', 'in_ch', 'num_channels')
_IMAGE_SIZES = ('img_size', 'image_size', 'input_size')
KNOWN = (*HOSTS, 'timm')  # whose networks are built by their registries


def foreign_backbone(name: str, size: Size | None = None, channels: int = 3) -> dict | None:
    """Turn ``WHERE:WHAT(ARGUMENTS)@LAYERS`` into a config of ``ForeignBackbone``.

    Names that mean nobody else's code give None.

    Args:
        name: ``my_net.py:MyNet(dim=64)``, ``package.module:Class``, ``hf:swin(embed_dim=48)``,
            ``hf:FOLDER`` with a ``config.json``, or ``torchvision:resnet18``; after ``@`` the
            layers whose outputs are the maps.
        size: Height and width of the images, for networks that take one size only.
        channels: Channels of the images.

    Raises:
        UserError: There is no such code, it does not build or run, or it gives no maps.
    """
    found = _NAME.fullmatch(name.strip())
    if found is None or found['where'].strip() in KNOWN:
        return None
    where, what = found['where'].strip(), found['what'].strip()
    layers = [layer.strip() for layer in (found['layers'] or '').split(',') if layer.strip()]
    if where == HUGGING_FACE:
        network = _hugging_face(what, _arguments(found['arguments'])[1])
        return describe_network(network, layers, size=size, channels=channels)
    if where == TORCHVISION:
        network = {'type': f'{TORCHVISION}:{what}', **_arguments(found['arguments'])[1]}
        if not layers:
            model = build_dry(lambda: build_network(network), network['type'])
            layers = suggest_layers(model, channels)
        return describe_network(network, layers, size=size, channels=channels)
    kind, folder, path = _locate(where, what)
    positions, arguments = _arguments(found['arguments'])
    folders = [Path.cwd(), *([folder] if folder else [])]
    add_to_path(path)
    with quiet(), no_network([]):
        make = find_code(kind, path)
    named = _named(make, positions, kind) if positions else {}
    network = absolute_files({'type': kind, **named, **arguments}, folders)
    takes = _argument(make, _IMAGE_CHANNELS)
    if channels != 3 and takes and takes not in network:
        network = {**network, takes: channels}
    path = list(dict.fromkeys([*path, *needed_path([sys.modules[kind.partition(':')[0]]])]))
    cfg = describe_network(network, layers, path, size=size, channels=channels)
    fixed = cfg.get('image_size')
    takes = _argument(make, _IMAGE_SIZES)
    if fixed and size and tuple(fixed) != size and takes and takes not in network:
        network = {**network, takes: size[0] if size[0] == size[1] else size}
        cfg = describe_network(network, layers, path, size=size, channels=channels)
    return cfg


def describe_network(
    network: Mapping,
    layers: Sequence[str] = (),
    python_path: Sequence[str] = (),
    imports: Sequence[str] = (),
    size: Size | None = None,
    channels: int = 3,
    scope: str = 'mmengine',
) -> dict:
    """Run a network and write down how ``ForeignBackbone`` has to call it.

    Raises:
        UserError: It does not build or run, gives no maps, or opens a file of this folder.
    """
    name = str(network['type'])
    before = set(sys.modules)

    def build(device: str) -> Any:
        with DefaultScope.overwrite_default_scope(scope):
            return build_dry(lambda: build_network(network, python_path, imports), name, device)

    found = survey(build, layers, channels, [size] if size else [])
    loaded = [sys.modules[key] for key in set(sys.modules) - before if key in sys.modules]
    if python_path:
        # with the folders that building it imported from
        python_path = list(dict.fromkeys([*python_path, *needed_path(loaded)]))
    cfg = _config(network, layers, python_path, imports, found)
    with _elsewhere():
        try:
            build('meta')
        except UserError as error:
            raise UserError(
                f'{name} builds in this folder only: {error}. Give absolute paths as arguments'
            ) from error
    return cfg


def _config(
    network: Mapping,
    layers: Sequence[str],
    python_path: Sequence[str],
    imports: Sequence[str],
    found: Survey,
) -> dict:
    chosen = chosen_maps(found.maps)
    network = dict(network)
    indices = [x.index for x in chosen]
    if network['type'].startswith(f'{HUGGING_FACE}:') and 'out_indices' in network:
        network['out_indices'] = [network['out_indices'][i] for i in indices]
        indices = list(range(len(indices)))
    if layers and found.count == len(layers):  # only those that are read are run to
        layers = [layers[i] for i in indices]
        indices = list(range(len(indices)))
    layouts = [x.layout for x in chosen]
    extra = {x.extra_tokens for x in chosen if x.layout in ('NLC', 'NCL')} or {0}
    if len(extra) > 1:
        raise UserError(f'{network["type"]} has maps with {sorted(extra)} tokens of no place')
    optional = dict(
        layers=list(layers),
        layouts=layouts[0] if len(set(layouts)) == 1 else layouts,
        extra_tokens=extra.pop(),
        size_divisor=found.size_divisor,
        square=found.square,
        image_size=list(found.image_size) if found.image_size else None,
        python_path=list(python_path),
        imports=list(imports),
    )
    plain = dict(layouts='NCHW', size_divisor=1)
    return dict(
        type=TYPE,
        network=network,
        out_channels=[x.channels for x in chosen],
        out_strides=[x.stride for x in chosen],
        out_indices=indices,
        **{key: value for key, value in optional.items() if value and value != plain.get(key)},
    )


def _locate(where: str, what: str) -> tuple[str, Path | None, list[str]]:
    """Return the type ``module:NAME``, the folder of its file, and what its import needs."""
    if where.endswith('.py'):
        path = Path(where).expanduser()
        if not path.is_file():
            raise UserError(f"file '{where}' of backbone '{what}' does not exist")
        module, root = module_of_file(path)
        return f'{module}:{what}', path.resolve().parent, [str(root)]
    if not re.fullmatch(r'[A-Za-z_]\w*(\.\w+)*', where):
        raise UserError(
            f"backbone '{where}:{what}' has no source '{where}': give file.py:NAME, "
            'package.module:NAME, hf:NAME, torchvision:NAME, or a name of --list'
        )
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        with quiet(), no_network([]):
            module_here = import_module(where)
        return f'{where}:{what}', None, needed_path([module_here])
    finally:
        if added:
            sys.path.remove(here)


def _arguments(text: str | None) -> tuple[list[Any], dict[str, Any]]:
    if not text or not text.strip():
        return [], {}
    try:
        call = ast.parse(f'f({text})', mode='eval').body
        assert isinstance(call, ast.Call)
        return [plain_value(x) for x in call.args], {
            str(x.arg): plain_value(x.value) for x in call.keywords
        }
    except (SyntaxError, ValueError) as error:
        raise UserError(f"arguments '({text})' are no plain values: {error}") from error


def plain_value(node: ast.expr) -> Any:
    """Read a literal, or ``dict(...)`` of them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        return {str(k.arg): plain_value(k.value) for k in node.keywords}
    return ast.literal_eval(node)


def _named(make: Any, positions: Sequence[Any], kind: str) -> dict[str, Any]:
    try:
        return dict(inspect.signature(make).bind_partial(*positions).arguments)
    except TypeError as error:
        raise UserError(f'{kind} does not take these arguments: {error}') from error


def _argument(make: Any, names: Sequence[str]) -> str | None:
    """Return the first of the names that is one of an argument."""
    try:
        parameters = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return None
    return next((name for name in names if name in parameters), None)


def _hugging_face(what: str, arguments: dict) -> dict:
    """Write the values of a folder's ``config.json``, or arguments, under its model type."""
    folder = Path(what).expanduser()
    if '/' in what or folder.is_dir():
        file = folder / 'config.json' if folder.is_dir() else folder
        if not file.is_file():
            raise UserError(
                f"'hf:{what}' is no local folder with a config.json: nothing is downloaded, give "
                'the folder, or a model type such as hf:swin'
            )
        try:
            values = json.loads(file.read_text(encoding='utf-8'))
            what = values.pop('model_type')
        except (ValueError, KeyError, AttributeError) as error:
            raise UserError(f"'{file}' has no model_type of transformers: {error}") from error
        noise = ('architectures', 'transformers_version', 'torch_dtype', 'dtype', '_name_or_path',
                 'id2label', 'label2id', 'out_features', 'out_indices')  # fmt: skip
        arguments = {k: v for k, v in values.items() if k not in noise} | arguments
    network = {'type': f'{HUGGING_FACE}:{what}', **arguments}
    if not {'out_features', 'out_indices'} & set(arguments):
        model: Any = build_dry(lambda: hugging_face_network(what, arguments), network['type'])
        network['out_indices'] = list(range(1, len(model.stage_names)))
    return network


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Be in an empty folder."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def notes(backbone: Mapping) -> list[str]:
    """Say what was found out about a network of other people's code, in sentences."""
    if backbone.get('type') != TYPE:
        return []
    name = backbone['network']['type']
    lines = []
    layouts = backbone.get('layouts', 'NCHW')
    if layouts != 'NCHW':
        layouts = layouts if isinstance(layouts, str) else ', '.join(layouts)
        lines.append(f'{name} returns its maps as {layouts}; they are laid out as NCHW')
    if backbone.get('extra_tokens'):
        count = backbone['extra_tokens']
        lines.append(f'the first {count} of its tokens are of no place, such as a class token')
    divisor, square = backbone.get('size_divisor', 1), backbone.get('square')
    if divisor > 1 or square:
        what = f'sides that are multiples of {divisor}' if divisor > 1 else 'any sides'
        what += ', in squares' if square else ''
        lines.append(f'{name} takes {what} only: images are padded to them, maps are cropped')
    if backbone.get('image_size'):
        rows, columns = backbone['image_size']
        lines.append(f'{name} takes images of {rows}x{columns} only: smaller ones are padded')
    if backbone.get('python_path'):
        lines.append(
            f'its code stays where it is, in {", ".join(backbone["python_path"])}: if it moves, '
            'change model.backbone.python_path'
        )
    return lines
