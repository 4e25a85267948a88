"""Exported networks in 8 bits: NNCF finds the ranges of every layer from pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.deploy.exporting import write_openvino
from sacm_mm.deploy.runtimes import META

SUFFIXES = ('.onnx', '.xml')


def check_quantizable(out: str | Path) -> None:
    """Refuse what cannot be written in 8 bits.

    Raises:
        UserError: The name is of another kind of file, or NNCF is not installed.
    """
    if Path(out).suffix not in SUFFIXES:
        raise UserError(f"--int8 writes {' or '.join(SUFFIXES)}: let '{out}' end so")
    if not find_spec('nncf'):
        raise UserError("--int8 needs NNCF: pip install 'sacm_mm[int8]'")


def quantize(file: Path, out: Path, inputs: Sequence[np.ndarray]) -> None:
    """Write an exported file in 8 bits.

    Weights take half of their range, which processors without VNNI need: their sums of products of
    8 bits would overflow. The layers from which depth comes stay as they are: 256 steps are too few
    for it (abs rel 0.28 -> 0.44).

    Args:
        file: A .onnx file of ``export``.
        out: A .onnx or .xml file to write.
        inputs: What the network takes, see ``Network``; the ranges of its layers are found on them.
    """
    import nncf
    import onnx

    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    (name,) = [value.name for value in network.graph.input]
    quantized = nncf.quantize(
        network,
        nncf.Dataset([{name: array} for array in inputs]),
        preset=nncf.QuantizationPreset.MIXED,  # activations need not be symmetric: GELU is not
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=_last_convolutions(network, 'depth')),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE
        ),
    )
    if out.suffix == '.onnx':
        onnx.save(quantized, out)
    else:
        (about,) = [prop.value for prop in quantized.metadata_props if prop.key == META]
        write_openvino(quantized.SerializeToString(), about, out)


def _last_convolutions(network: Any, output: str) -> list[str]:
    """Name the convolutions after which an output has no other; none if there is no such output."""
    makers = {name: node for node in network.graph.node for name in node.output}
    found, waiting = [], [value.name for value in network.graph.output if value.name == output]
    while waiting:
        node = makers.pop(waiting.pop(), None)
        if node is None:  # an input, a weight, or seen before
            continue
        if node.op_type == 'Conv':
            found.append(node.name)
        else:
            waiting += node.input
    return found
