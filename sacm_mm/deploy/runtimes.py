"""Run exported files: ONNX Runtime, OpenVINO and PyTorch behind one call."""

from __future__ import annotations

import json
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sacm_mm.core.errors import UserError, one_line

SUFFIXES = ('.onnx', '.xml', '.pt2')
META = 'sacm_mm'  # under which a file carries what it is, as JSON
_INSTALL = "pip install 'sacm_mm[export]'"


class Exported(ABC):
    """An exported network.

    ``Network``'s function on arrays: (N, C, H, W) float32, or (N, H, W, C) uint8 when
    ``end_to_end`` -> outputs by name. It may be called from several threads.

    Attributes:
        end_to_end: The file takes pixels and decides classes itself.
        meta: What the export wrote down, see ``describe``; may be empty.
    """

    end_to_end: bool
    meta: dict[str, Any]

    def __deepcopy__(self, memo: dict) -> Exported:
        # of a model that a hook copies, to average weights of which a file has none
        return self

    @abstractmethod
    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""


class OnnxRuntimeFile(Exported):
    """A .onnx file in ONNX Runtime, on the CPU, with PyTorch's number of threads."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        refuse_external_data(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider']
        )
        (self._input,) = self._session.get_inputs()
        self._names = [output.name for output in self._session.get_outputs()]
        self.end_to_end = self._input.type == 'tensor(uint8)'
        self.meta = _decoded(self._session.get_modelmeta().custom_metadata_map.get(META))

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""
        return dict(zip(self._names, self._session.run(None, {self._input.name: image})))


class OpenVinoFile(Exported):
    """A .onnx or .xml file in OpenVINO, on the CPU, in float32, with PyTorch's number of threads.

    Each thread has its own request: two that share one get each other's numbers.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix == '.onnx':
            refuse_external_data(path)
        elif not path.with_suffix('.bin').is_file():
            raise ValueError(f"its weights, '{path.with_suffix('.bin').name}', are not beside it")
        core = openvino_core()
        model = core.read_model(path)
        self._compiled = core.compile_model(
            model,
            'CPU',
            {  # it would choose bfloat16 by itself where the processor has it
                'INFERENCE_PRECISION_HINT': 'f32',
                'INFERENCE_NUM_THREADS': torch.get_num_threads(),
            },
        )
        self._requests = threading.local()
        self._names = [output.get_any_name() for output in self._compiled.outputs]
        self.end_to_end = model.input(0).get_element_type().get_type_name() == 'u8'
        self.meta = _decoded(_rt_info(model))

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""
        if not hasattr(self._requests, 'own'):
            self._requests.own = self._compiled.create_infer_request()
        request = self._requests.own
        request.infer([np.ascontiguousarray(image)])
        # the next call of this thread writes where this one's results are
        return {n: request.get_output_tensor(i).data.copy() for i, n in enumerate(self._names)}


def _rt_info(model: Any) -> str | None:
    """Find what the export wrote into a file: an .xml's own information, or an .onnx file's."""
    for place in ([META], ['framework', META]):
        if model.has_rt_info(place):
            return model.get_rt_info(place).astype(str)
    return None


def refuse_external_data(path: Path) -> None:
    """Refuse a .onnx file whose weights are elsewhere on the disk: ours carry theirs.

    Raises:
        ValueError: It names other files, or is no ONNX file.
    """
    import onnx

    for part in _messages(onnx.load(path, load_external_data=False)):
        if isinstance(part, onnx.TensorProto) and (part.external_data or part.data_location):
            raise ValueError('it wants to read other files of this machine')


def _messages(message: Any) -> Iterator[Any]:
    """Walk over a protobuf message and all that it holds: graphs in nodes, functions, tensors."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, 'ListFields') else value:
                yield from _messages(part)


class TorchFile(Exported):
    """A .pt2 package of ``torch.export``."""

    def __init__(self, path: Path) -> None:
        if not zipfile.is_zipfile(path):  # PyTorch would log a traceback
            raise ValueError('it is no zip archive, or not all of it')
        extra = {META: ''}
        program = torch.export.load(path, extra_files=extra)
        self.meta = _decoded(extra[META])
        self.end_to_end = bool(self.meta['end_to_end'])
        self._run = program.module()

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""
        with torch.no_grad():
            outputs = self._run(torch.from_numpy(image))
        return {name: out.numpy() for name, out in outputs.items()}


@cache
def openvino_core() -> Any:
    """Return the one core of this process, which is never given back.

    Its CPU plugin puts an alternate signal stack on the thread and frees that memory with the core,
    but leaves the thread pointing there: the next signal, such as a data loader's worker ending,
    would crash the process.
    """
    import openvino

    return openvino.Core()


RUNTIMES: dict[str, Callable[[Path], Exported]] = {
    'onnxruntime': OnnxRuntimeFile,
    'openvino': OpenVinoFile,
}


def is_exported(path: str | Path) -> bool:
    """Tell by the name whether a file is an export, not a checkpoint."""
    return Path(path).suffix in SUFFIXES


def load_exported(path: str | Path, runtime: str | None = None, trust: bool = False) -> Exported:
    """Load an exported file.

    Args:
        path: A .onnx, .xml (OpenVINO) or .pt2 (PyTorch) file that ``export`` wrote.
        runtime: For .onnx, ``'onnxruntime'`` or ``'openvino'``; by default the first installed.
        trust: Take .pt2 files: PyTorch unpickles parts of them, which can run any code.

    Raises:
        UserError: The file is missing, damaged or of another kind, is not to be trusted, or its
            runtime is missing.
    """
    path = Path(path)
    if not is_exported(path):
        known = ' or '.join(SUFFIXES)
        raise UserError(f"'{path}' is no exported file: its name must end in {known}")
    if not path.is_file():
        raise UserError(f"exported file '{path}' does not exist: write it with sacm export")
    kind = _kind(path, runtime)
    if kind is TorchFile and not trust:
        raise UserError(
            f"'{path}' was not read, for a .pt2 file can run code: use an .onnx file, or --trust "
            'if you know who made it'
        )
    try:
        return kind(path)
    except Exception as error:  # each runtime has its own for a file that it cannot read
        raise UserError(
            f"'{path}' is damaged or not of sacm export: write it again ({one_line(error, 200)})"
        ) from error


def _kind(path: Path, runtime: str | None) -> Callable[[Path], Exported]:
    """Choose what runs a file, by its name and by what is installed."""
    if runtime is not None and runtime not in RUNTIMES:
        raise UserError(f"unknown runtime '{runtime}': choose from {', '.join(RUNTIMES)}")
    if path.suffix == '.pt2':
        if runtime:
            raise UserError(f"'{path}' runs in PyTorch, not in {runtime}: leave out --runtime")
        return TorchFile
    if path.suffix == '.xml':
        if runtime not in (None, 'openvino'):
            raise UserError(f"'{path}' runs in OpenVINO, not in {runtime}: leave out --runtime")
        runtime = 'openvino'
    for name in (runtime,) if runtime else RUNTIMES:
        needed = (name,) if path.suffix == '.xml' else (name, 'onnx')
        if all(find_spec(module) for module in needed):
            return RUNTIMES[name]
    raise UserError(f'{runtime or " and ".join(RUNTIMES)} or onnx not installed: {_INSTALL}')


def _decoded(text: str | bytes | None) -> dict[str, Any]:
    return json.loads(text) if text else {}
