"""The layers of a Keras weights file, and what a truncated one has lost."""

import multiprocessing
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import h5py

from sacm_mm.core.errors import UserError

_PATIENCE = 3  # seconds


class Layer(NamedTuple):
    """A layer's name and its weights, by names such as ``kernel``; many layers have none."""

    name: str
    weights: dict[str, h5py.Dataset]


@contextmanager
def read_layers(path: Path) -> Iterator[list[Layer]]:
    """Open a file that ``Model.save_weights`` wrote, and list its layers in their order.

    What the file holds beside the layers that it lists comes after them.

    Raises:
        UserError: The file is damaged or not Keras'.
    """
    try:
        file = h5py.File(path, 'r')
    except OSError as error:
        raise _damage(path, error) from error
    with file:
        names = _layer_names(file)
        if names is None:
            raise UserError(
                f"'{path}' is HDF5, but no Keras weights: write it with Model.save_weights"
            )
        layers = []
        for name in [*names, *(name for name in file if name not in names)]:
            try:
                if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
                    raise _elsewhere(path, name)
                layers.append(Layer(name, _weights(file[name])))
            except UserError:
                raise
            except (KeyError, OSError, RuntimeError) as error:
                raise UserError(f"'{path}' is damaged: layer '{name}' cannot be read") from error
        _check_datasets(layers, path)
        yield layers


def _check_datasets(layers: list[Layer], path: Path) -> None:
    """Refuse weights that lie in other files of the disk, or unpack to more than the file holds."""
    total = 0
    for layer in layers:
        for weight in layer.weights.values():
            if weight.external or weight.is_virtual:
                raise _elsewhere(path, layer.name)
            total += weight.nbytes
    if total > path.stat().st_size:
        raise UserError(f"'{path}' is refused: it unpacks to {total} bytes, more than it holds")


def _elsewhere(path: Path, layer: str) -> UserError:
    return UserError(f"'{path}' is refused: weights of layer '{layer}' lie in another file")


def _layer_names(file: h5py.File) -> list[str] | None:
    names = file.attrs.get('layer_names')
    if names is None:
        return None
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _weights(node: h5py.Group | h5py.Dataset) -> dict[str, h5py.Dataset]:
    """Collect a layer's datasets: ``conv2d/kernel:0`` is its ``kernel``."""
    if not hasattr(node, 'visititems'):
        return {'data': node}
    found: list[tuple[str, h5py.Dataset]] = []
    node.visititems(
        lambda name, item: found.append((name, item)) if hasattr(item, 'shape') else None
    )
    short = [name.rpartition('/')[2].partition(':')[0] for name, _ in found]
    # a model within the model has several weights of one name, which no layer has
    names = short if len(set(short)) == len(short) else [name for name, _ in found]
    return {name: dataset for name, (_, dataset) in zip(names, found)}


def _damage(path: Path, error: OSError) -> UserError:
    """Say what is wrong with a file that HDF5 does not open."""
    whole = re.search(r'truncated file.*stored_eof = (\d+)', str(error))
    if whole is None:
        return UserError(f"'{path}' is damaged, HDF5 does not open it: take another copy")
    size = path.stat().st_size
    layer = _first_lost_layer(path, size, int(whole.group(1)))
    lost = f"layer '{layer}' is the first that is lost" if layer else 'its list of layers is lost'
    return UserError(f"'{path}' is truncated to {size} of {whole.group(1)} bytes: {lost}")


def _first_lost_layer(path: Path, size: int, whole: int) -> str | None:
    """Look into a copy that is filled up with a hole to the size that it should have.

    In a process of its own: HDF5 may take what it finds in the hole for a list without an end.
    """
    context = multiprocessing.get_context('fork')
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, 'copy.h5')
        shutil.copyfile(path, copy)
        os.truncate(copy, whole)
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_send_first_lost, args=(copy, size, sender))
        process.start()
        layer = receiver.recv() if receiver.poll(_PATIENCE) else None
        process.kill()
        process.join()
    return layer


def _send_first_lost(path: Path, size: int, sender: Connection) -> None:
    layer = None
    try:
        with h5py.File(path, 'r') as file:
            for layer in _layer_names(file) or ():
                for weight in _weights(file[layer]).values():
                    if weight.id.get_offset() + weight.id.get_storage_size() > size:
                        raise KeyError(weight.name)
    except (KeyError, OSError, RuntimeError, TypeError):
        pass  # the layer that was looked at lies in the hole, or the list of layers does
    sender.send(layer)
