"""One web page that runs a network in the browser: no server, no network, nothing installed."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder, write_text
from sacm_mm.core.templates import fill
from sacm_mm.deploy.description import refuse_other_channels, refuse_other_kinds
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.runtimes import load_exported
from sacm_mm.deploy.samples import Sample, decode
from sacm_mm.deploy.web_runtime import CODE, VERSION, WASM, find_web_runtime

_FILES = Path(__file__).parent / 'page_files'
_SCRIPTS = ('picture.js', 'answer.js', 'network.js', 'main.js')
_USUAL = 640  # pixels a side, where no sample tells
_LARGEST_MB = 200  # browsers refuse strings of 512 MB, and pages this large are slow to open
_CHECK_SIZE = (37, 50)  # H, W of the picture that the page computes when it is opened
_TOLERANCE = 1e-3  # of the largest value: what the browser may differ by
_KNOWN = {'cv2': ('bilinear',), 'pillow': ('bilinear', 'bicubic')}  # what the page resizes by
_CHECK_TIMEOUT_S = 300


def write_page(
    model: nn.Module,
    out: str | Path,
    meta: Mapping[str, Any],
    samples: Sequence[Sample] = (),
    title: str = 'sacm_mm',
    runtime: str | Path | None = None,
) -> dict[str, float]:
    """Write a page that answers as the model does, after onnxruntime-web has computed the same.

    Args:
        model: A segmentor, depth estimator, joint estimator or classifier, on the CPU.
        out: An ``.html`` file that opens from the disk; or a folder, to be served by the
            ``serve.py`` in it, where the network gets several threads.
        meta: See ``describe``.
        samples: Pictures that the page offers, of the usual size. A network that takes pictures of
            any size gets those of more than twice that area in this size; its answer is enlarged.
        title: Heading of the page.
        runtime: See ``find_web_runtime``.

    Returns:
        For each output the largest difference between onnxruntime-web and the model.

    Raises:
        UserError: The network does not run in browsers, or computes something else there; the
            package or npm is missing; ``out`` cannot be written. Then nothing is left.
    """
    out = Path(out)
    _check_meta(meta)
    sides = [max(decode(sample).shape[:2]) for sample in samples]
    about = _about(model, meta, usual=max(sides, default=_USUAL))
    single = out.suffix.lower() in ('.html', '.htm')
    # first the folder: one that is there is said before time is spent
    with nullcontext(out) if single else publish_folder(out) as place:
        folder = find_web_runtime(runtime)
        with tempfile.TemporaryDirectory() as work:
            file = Path(work, 'model.onnx')
            export(model, file, meta=dict(meta))
            content = file.read_bytes()
            if len(content) > _LARGEST_MB * 1e6:
                raise UserError(
                    f'the network has {len(content) / 1e6:.0f} MB, too much for a page: up to '
                    f'{_LARGEST_MB} MB'
                )
            check, differences = _check(file, folder, int(meta['channels']))
        about['check'] = check
        if single:
            parts = {
                'runtime': (folder / CODE).read_bytes(),
                'wasm': (folder / WASM).read_bytes(),
                'model': content,
            }
            write_text(_fill(about, samples, title, parts), out)
            return differences
        (place / 'index.html').write_text(_fill(about, samples, title, {}), encoding='utf-8')
        (place / 'model.onnx').write_bytes(content)
        for source in (folder / CODE, folder / WASM, _FILES / 'serve.py'):
            shutil.copyfile(source, place / source.name)
    return differences


def _check_meta(meta: Mapping[str, Any]) -> None:
    """Refuse what the page cannot do to a picture as the config does it."""
    refuse_other_channels(meta, 'a page')
    refuse_other_kinds(meta, 'a page')
    if meta['resize'] is None:
        raise UserError(
            "the config's test pipeline changes pictures in a way that a page does not know "
            '(it knows Resize, ResizeEdge and CenterCrop): export .onnx'
        )
    for step in meta['resize']:
        if 'backend' in step and step['interpolation'] not in _KNOWN.get(step['backend'], ()):
            raise UserError(
                f"a page does not resize by {step['backend']}'s {step['interpolation']}: set "
                "interpolation='bilinear' in the test pipeline, or export .onnx"
            )


def check_values(dims: Sequence[int]) -> np.ndarray:
    """Make the picture that Python, Node.js and browsers compute alike, float32."""
    values = (np.arange(np.prod(dims), dtype=np.int64) * 7919 % 257 - 128) / 64
    return values.reshape(tuple(dims)).astype(np.float32)


def _check(file: Path, runtime: Path, channels: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Compare onnxruntime-web, in Node.js, with ONNX Runtime.

    Returns:
        What the page checks itself by, and the differences by output.
    """
    dims = [1, channels, *_CHECK_SIZE]
    wanted = load_exported(file)(check_values(dims))
    found = _in_node(file, runtime, dims)
    differences = {}
    for name, values in wanted.items():
        if found is None:
            break
        other = np.asarray(found.get(name, ()), np.float64)
        same = other.size == values.size
        top = max(float(np.abs(values).max()), 1e-6)
        worst = float(np.abs(other - values.ravel()).max() / top) if same else float('inf')
        if not worst <= _TOLERANCE:
            raise UserError(
                f"page refused: onnxruntime-web computes another '{name}' than Python, by "
                f'{worst:.1e} of the largest value'
            )
        differences[name] = worst
    steps = {name: max(1, values.size // 200) for name, values in wanted.items()}
    outputs = {
        name: [float(f'{v:.6g}') for v in values.ravel()[:: steps[name]]]
        for name, values in wanted.items()
    }
    return dict(dims=dims, steps=steps, outputs=outputs), differences


def _in_node(file: Path, runtime: Path, dims: Sequence[int]) -> dict[str, list[float]] | None:
    """Run a file as browsers do; None without Node.js, then the page alone checks itself."""
    node = shutil.which('node')
    if node is None:
        return None
    command = [node, str(_FILES / 'check.mjs'), str(runtime.resolve()), str(file), *map(str, dims)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CHECK_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise UserError('the network does not run in browsers: it took too long') from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if 'Error' in line] or ['no reason']
        raise UserError(f'the network does not run in browsers: {lines[0].strip()[:200]}')
    return json.loads(done.stdout)


def _about(model: Any, meta: Mapping[str, Any], usual: int) -> dict[str, Any]:
    """Say what the page's script has to know."""
    from matplotlib import colormaps

    classes = meta['classes']
    palette = meta['palette']
    if meta['task'] != 'depth' and not classes:
        raise UserError('the classes have no names: give metainfo=dict(classes=...) in the config')
    if meta['task'] in ('segmentation', 'joint') and len(classes) == 1:
        classes, palette = ['other', *classes], [[0, 0, 0], *palette]  # one logit: no or yes
    head = getattr(model, 'decode_head', None)
    keys = ('task', 'channels', 'colours', 'mean', 'std', 'resize', 'threshold')
    return {
        **{key: meta[key] for key in keys},
        'classes': classes or [],
        'palette': palette or [],
        'align_corners': bool(getattr(head, 'align_corners', False)),
        'usual': usual,
        'ramp': [[round(255 * c) for c in colormaps['turbo'](i)[:3]] for i in range(256)],
    }


def _fill(
    about: Mapping[str, Any], samples: Sequence[Sample], title: str, parts: Mapping[str, bytes]
) -> str:
    packed = {
        name: base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
        for name, content in parts.items()
    }
    # a script ends at the first </script>, also inside of a string
    description = json.dumps(about, ensure_ascii=False).replace('<', '\\u003c')
    task = str(about['task'])
    return fill(
        _FILES / 'page.html.j2',
        title=title,
        subtitle=f'{task.capitalize()}, computed in this browser.',
        about=f'Written by sacm_mm; runs on onnxruntime-web {VERSION} (MIT licence).',
        description=description,
        samples=samples,
        parts=packed,
        css=(_FILES / 'page.css').read_text(encoding='utf-8'),
        scripts=[(_FILES / name).read_text(encoding='utf-8') for name in _SCRIPTS],
    )
