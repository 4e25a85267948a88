"""Write a trained model as ONNX, OpenVINO IR or a ``torch.export`` package, and check it."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmseg.models.utils import Upsample
from torch import Tensor, nn

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import atomic_write, check_writable_file, is_write_failure
from sacm_mm.deploy.description import channels_of, describe, refuse_other_kinds
from sacm_mm.deploy.network import Network
from sacm_mm.deploy.runtimes import META, SUFFIXES, load_exported, openvino_core
from sacm_mm.kernels.folding import fold, stride_stem
from sacm_mm.models.backbones.cs_mixer import CSMixer

OPSET = 18  # what ONNX Runtime and OpenVINO both take; GELU is fused from its parts
SIZES = ((1, 64, 96), (2, 77, 50), (3, 131, 97))  # N, H, W of the check
AXES = ('batch', 'height', 'width')  # how ONNX files call what is left open
_TOLERANCE = 1e-4  # of the largest value
_SHARE = 1e-3  # of the pixels may change their class, where two are all but equal


def export(
    model: nn.Module, out: str | Path, end_to_end: bool = False, meta: dict[str, Any] | None = None
) -> dict[str, float]:
    """Write a model for any batch and image size, read it back and compare it with the model.

    Args:
        model: A segmentor, depth estimator, joint estimator or classifier, on the CPU.
        out: File to write: ``.onnx``, ``.xml`` (OpenVINO; its weights go to the ``.bin`` beside
            it) or ``.pt2`` (PyTorch).
        end_to_end: Take uint8 pixels and give classes or metres, see ``Network``.
        meta: What else the file should say of itself than ``describe`` tells; JSON.

    Returns:
        For each output the largest difference from the model at three sizes: relative to the
        largest value, or for classes the share of pixels.

    Raises:
        UserError: ``out`` cannot be written, a package is missing, the model cannot be exported, or
            the file computes something else than the model; then nothing is left.
    """
    out = Path(out)
    _check_out(out)
    if any(isinstance(module, CSMixer) for module in model.modules()):
        # with its groups padded to a multiple of 7, PyTorch's sums of sizes grow without end
        raise UserError('CSMixer cannot be exported: tracing it for images of any size never ends')
    model = model.eval()
    meta = describe(model) | (meta or {}) | dict(end_to_end=end_to_end)
    if end_to_end:
        refuse_other_kinds(meta, '--end-to-end')
    network = Network(_traceable(stride_stem(fold(model))), end_to_end).eval()
    with atomic_export(out) as partial:
        _write(network, meta, partial)
        return _compare(model, partial, end_to_end)


@contextmanager
def atomic_export(out: Path) -> Iterator[Path]:
    """Give a path to write an exported file to, see ``atomic_write``."""
    with ExitStack() as files:
        partial = files.enter_context(atomic_write(out))
        if out.suffix == '.xml':  # its weights, in place before the file that needs them
            files.enter_context(atomic_write(out.with_suffix('.bin')))
        yield partial


def _check_out(out: Path) -> None:
    if out.suffix not in SUFFIXES:
        raise UserError(f"cannot write '{out}': let its name end in {', '.join(SUFFIXES)}")
    check_writable_file(out)
    needed = {
        '.onnx': ['onnx', 'onnxscript', 'onnxruntime'],
        '.xml': ['onnx', 'onnxscript', 'openvino'],
    }
    missing = [name for name in needed.get(out.suffix, ()) if not find_spec(name)]
    if missing:
        raise UserError(f"{' and '.join(missing)} not installed: pip install 'sacm_mm[export]'")


class _Enlarge(nn.Module):
    """The host's ``Upsample`` by a whole factor; its ``int`` would fix the size of the example."""

    def __init__(self, upsample: Upsample) -> None:
        super().__init__()
        self.factor = int(upsample.scale_factor)
        self.mode, self.align_corners = upsample.mode, upsample.align_corners

    def forward(self, x: Tensor) -> Tensor:
        size = [side * self.factor for side in x.shape[2:]]
        return F.interpolate(x, size, mode=self.mode, align_corners=self.align_corners)


class _AveragePool(nn.Module):
    """``AdaptiveAvgPool2d`` as two products; traced, PyTorch's own keeps the example's windows."""

    def __init__(self, pool: nn.AdaptiveAvgPool2d) -> None:
        super().__init__()
        size = pool.output_size
        self.rows, self.columns = size if isinstance(size, tuple) else (size, size)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        across = self._means(width, self.columns or width, x)
        return self._means(height, self.rows or height, x) @ x @ across.mT

    @staticmethod
    def _means(size: int, count: int, like: Tensor) -> Tensor:
        """Weights (count, size) of the means over ``count`` windows that cover ``size`` pixels."""
        window = torch.arange(count, device=like.device).unsqueeze(1)
        start, end = window * size // count, ((window + 1) * size + count - 1) // count
        place = torch.arange(size, device=like.device)
        return ((place >= start) & (place < end)).to(like.dtype) / (end - start)


def _traceable(model: nn.Module) -> nn.Module:
    """Replace, in place, what would not be traced for every size."""
    for name, module in list(model.named_modules()):
        # to one value it is the mean, which runtimes know
        if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size not in (1, (1, 1)):
            model.set_submodule(name, _AveragePool(module))
        if isinstance(module, Upsample) and not module.size:
            factor = module.scale_factor
            if isinstance(factor, float) and factor.is_integer():
                model.set_submodule(name, _Enlarge(module))
    return model


def _write(network: Network, meta: dict[str, Any], path: Path) -> None:
    """Trace the network with batch, height and width left open, and write it."""
    example = _images((2, 67, 101), network.end_to_end, channels_of(network.model))
    r = getattr(network.model.backbone, 'patch_size', 1)
    places = (0, 1, 2) if network.end_to_end else (0, 2, 3)  # of N, H and W
    dynamic = ({i: torch.export.Dim.DYNAMIC(min=least) for i, least in zip(places, (1, r, r))},)
    try:
        with torch.no_grad():
            network.settle(_images(size, False, channels_of(network.model)) for size in SIZES)
            program = torch.export.export(
                network,
                (example,),
                dynamic_shapes=dynamic,
                # it cannot prove for every size that the maps cover the image
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            _drop_assertions(program.graph_module)
            if path.suffix == '.pt2':
                content = io.BytesIO()  # a full disk would end the process
                torch.export.save(program, content, extra_files={META: json.dumps(meta)})
                path.write_bytes(content.getbuffer())
            else:
                _write_onnx(program, list(network(example)), meta, path)
    except Exception as error:  # of the exporters, and of heads that give or take something else
        if is_write_failure(error):
            raise
        raise UserError(
            f'{type(network.model).__name__} cannot be exported for images of any size: '
            f'{one_line(error, 200)}'
        ) from error


def _drop_assertions(graph_module: torch.fx.GraphModule) -> None:
    """Drop what the trace asserts of sizes.

    Some of it is about the layout of the example's crops, and fails for images that need none.
    """
    for node in list(graph_module.graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            graph_module.graph.erase_node(node)
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()


def _write_onnx(
    program: torch.export.ExportedProgram, names: list[str], meta: dict[str, Any], path: Path
) -> None:
    logging.getLogger('onnx_ir').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about its own workings
        onnx_program = torch.onnx.export(
            program,
            input_names=['image'],
            output_names=names,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert onnx_program is not None
    _name_axes(onnx_program.model.graph)
    onnx_program.model.metadata_props[META] = json.dumps(meta)
    if path.suffix == '.xml':
        write_openvino(onnx_program.model_proto.SerializeToString(), json.dumps(meta), path)
    else:
        onnx_program.save(path, external_data=False)


def _name_axes(graph: Any) -> None:
    """Call the open axes by what they are, in place of the numbers that the trace gave them."""
    (image,) = graph.inputs
    open_axes = [str(axis.value) for axis in image.shape if not isinstance(axis, int)]
    names = dict(zip(open_axes, AXES, strict=True))
    pattern = re.compile(rf'\b({"|".join(map(re.escape, names))})\b')
    nodes = list(graph.all_nodes())
    for value in [image, *graph.outputs, *(out for node in nodes for out in node.outputs)]:
        for i, axis in enumerate(value.shape or ()):
            if not isinstance(axis, int) and axis.value:
                value.shape[i] = pattern.sub(lambda m: names[m[0]], str(axis.value))


def write_openvino(content: bytes, about: str, path: Path) -> None:
    """Write an ONNX network as OpenVINO's .xml and .bin, in the precision that it has.

    Args:
        content: The network.
        about: What the file says of itself, JSON.
        path: The .xml file.
    """
    import openvino

    model = openvino_core().read_model(content, b'')
    model.set_rt_info(about, [META])
    openvino.save_model(model, path, compress_to_fp16=False)


def _compare(model: nn.Module, path: Path, end_to_end: bool) -> dict[str, float]:
    """Compare a file with the untouched model at ``SIZES``."""
    network = load_exported(path, trust=True)
    channels = channels_of(model)
    worst: dict[str, float] = {}
    for size in SIZES:
        image = _images(size, end_to_end, channels)
        wanted = _reference(model, image, end_to_end)
        try:
            found = network(image.numpy())
        except Exception as error:  # runtimes have no common one
            raise UserError(
                f'export refused: the file does not run for images of {size[1]}x{size[2]}: '
                f'{one_line(error)}'
            ) from error
        if found.keys() != wanted.keys():
            raise UserError(f'export refused: it has the outputs {list(found)}, not {list(wanted)}')
        for name, values in wanted.items():
            difference = _difference(found[name], values.numpy())
            allowed = _TOLERANCE if values.is_floating_point() else _SHARE
            if not difference <= allowed:  # also NaN
                raise UserError(
                    f"export refused: '{name}' differs from the model's by {difference:.1e} for "
                    f'images of {size[1]}x{size[2]}, {allowed:.0e} is allowed'
                )
            worst[name] = max(worst.get(name, 0.0), difference)
    return worst


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return float('inf')
    if wanted.dtype.kind != 'f':  # classes
        return float((found != wanted).mean())
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-6))


@torch.no_grad()
def _reference(model: nn.Module, image: Tensor, end_to_end: bool) -> dict[str, Tensor]:
    """Predict as the host does, whole images at their own size."""
    if end_to_end:
        preprocessor: Any = model.data_preprocessor
        image = image.permute(0, 3, 1, 2).float()
        if preprocessor._enable_normalize:
            image = (image - preprocessor.mean) / preprocessor.std
    network = Network(model, end_to_end)
    if hasattr(model, 'head'):
        outputs = {'logits': model.head(model.extract_feat(image))}  # type: ignore[operator]
    else:
        size = tuple(image.shape[2:])
        metas = [dict(img_shape=size, pad_shape=size, ori_shape=size)] * len(image)
        maps = model.encode_decode(image, metas)  # type: ignore[operator]
        outputs = _named(network, maps)
    return network.decided(outputs) if end_to_end else outputs


def _named(network: Network, maps: Tensor) -> dict[str, Tensor]:
    """Split what a dense model predicts, (N, classes + depth channels, H, W), by name."""
    depth_only = network.is_depth('decode_head')
    classes = 0 if depth_only else network.model.decode_head.out_channels
    named = {'logits': maps[:, :classes]} if classes else {}
    for name, values in zip(('depth', 'depth_scale'), maps.unbind(1)[classes:]):
        named[name] = values[:, None]
    return named


def _images(size: tuple[int, int, int], end_to_end: bool, channels: int) -> Tensor:
    """Draw images (N, C, H, W), normal, or (N, H, W, C), uint8; the same at every call."""
    n, h, w = size
    generator = torch.Generator().manual_seed(0)
    if end_to_end:
        return torch.randint(0, 256, (n, h, w, channels), dtype=torch.uint8, generator=generator)
    return torch.randn(n, channels, h, w, generator=generator)
