"""Run exported files: ONNX Runtime, OpenVINO and PyTorch behind one call."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sacm_mm.core.errors import UserError

SUFFIXES = ('.onnx', '.pt2')
META = 'sacm_mm'  # under which a file carries what it is, as JSON
_INSTALL = "pip install 'sacm_mm[export]'"


class Exported(ABC):
    """An exported network.

    ``Network``'s function on arrays: (N, 3, H, W) float32, or (N, H, W, 3) uint8 when
    ``end_to_end`` -> outputs by name.

    Attributes:
        end_to_end: The file takes pixels and decides classes itself.
        meta: What the export wrote down: config, class names, versions; may be empty.
    """

    end_to_end: bool
    meta: dict[str, Any]

    @abstractmethod
    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""


class OnnxRuntimeFile(Exported):
    """A .onnx file in ONNX Runtime, on the CPU, with PyTorch's number of threads."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

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
    """A .onnx file in OpenVINO, on the CPU, in float32, with PyTorch's number of threads."""

    def __init__(self, path: Path) -> None:
        core = _openvino()
        model = core.read_model(path)
        self._compiled = core.compile_model(
            model,
            'CPU',
            {  # it would choose bfloat16 by itself where the processor has it
                'INFERENCE_PRECISION_HINT': 'f32',
                'INFERENCE_NUM_THREADS': torch.get_num_threads(),
            },
        )
        self._names = [output.get_any_name() for output in self._compiled.outputs]
        self.end_to_end = model.input(0).get_element_type().get_type_name() == 'u8'
        self.meta = {}  # OpenVINO does not hand on what an ONNX file carries

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network."""
        return dict(zip(self._names, self._compiled(image).values()))


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
def _openvino() -> Any:
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


def load_exported(path: str | Path, runtime: str | None = None) -> Exported:
    """Load an exported file.

    Args:
        path: A .onnx or .pt2 file that ``export`` wrote.
        runtime: For .onnx, ``'onnxruntime'`` or ``'openvino'``; by default the first installed.

    Raises:
        UserError: The file is missing, damaged or of another kind, or its runtime is missing.
    """
    path = Path(path)
    if not is_exported(path):
        raise UserError(f"'{path}' is no exported file: its name must end in .onnx or .pt2")
    if not path.is_file():
        raise UserError(f"exported file '{path}' does not exist: write it with tools/export.py")
    kind: Callable[[Path], Exported] = TorchFile
    if path.suffix == '.onnx':
        kind = RUNTIMES[_checked(runtime)]
    try:
        return kind(path)
    except Exception as error:  # each runtime has its own for a file that it cannot read
        first = str(error).strip().partition('\n')[0]
        raise UserError(
            f"'{path}' is damaged or not of tools/export.py: write it again ({first})"
        ) from error


def _checked(runtime: str | None) -> str:
    if runtime is not None and runtime not in RUNTIMES:
        raise UserError(f"unknown runtime '{runtime}': choose from {', '.join(RUNTIMES)}")
    for name in (runtime,) if runtime else RUNTIMES:
        if find_spec(name):
            return name
    raise UserError(f'{runtime or " and ".join(RUNTIMES)} not installed: {_INSTALL}')


def _decoded(text: str | bytes | None) -> dict[str, Any]:
    return json.loads(text) if text else {}
