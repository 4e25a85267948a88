"""A model as one folder that a stranger can run: weights, config, ONNX, page and a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from sacm_mm import __version__
from sacm_mm.core.checkpoints import check_weights, read_weights
from sacm_mm.core.configs import config_text, load_config, open_data_root
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder, write_bytes, write_text
from sacm_mm.core.templates import escape_markdown, fill
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy.description import refuse_other_channels, refuse_other_kinds
from sacm_mm.deploy.exporting import export
from sacm_mm.deploy.page import write_page
from sacm_mm.deploy.samples import Sample

_FILES = Path(__file__).parent / 'card_files'
WEIGHTS, CONFIG, ABOUT = 'model.safetensors', 'config.py', 'preprocessing.json'
_TAGS = {
    'segmentation': 'image-segmentation',
    'depth': 'depth-estimation',
    'joint': 'image-segmentation',
    'classification': 'image-classification',
}


def write_card(
    model: nn.Module,
    cfg: Config,
    out: str | Path,
    meta: Mapping[str, Any],
    figures: Sequence[tuple[str, str, float]] = (),
    samples: Sequence[Sample] | None = None,
    runtime: str | Path | None = None,
) -> dict[str, float]:
    """Write a model's folder; ``load_card`` reads it back.

    Args:
        model: A segmentor, depth estimator, joint estimator or classifier, on the CPU.
        cfg: Its config.
        out: Folder to make.
        meta: See ``describe``.
        figures: Test, figure and value of what was measured.
        samples: Pictures of the page; None for no page.
        runtime: See ``find_web_runtime``.

    Returns:
        For each output the largest difference between the ONNX file and the model.

    Raises:
        UserError: See ``export`` and ``write_page``; then nothing is left.
    """
    from safetensors.torch import save

    refuse_other_channels(meta, 'a model folder')
    refuse_other_kinds(meta, 'a model folder')
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    title = Path(str(meta.get('config', 'model'))).stem
    with publish_folder(out) as partial:
        # by way of bytes: the library's own files are readable for their owner alone
        write_bytes(save(weights, {'format': 'pt'}), partial / WEIGHTS)
        write_text(open_data_root(config_text(cfg)), partial / CONFIG)
        # first the page: what cannot run in a browser is said before anything else takes time
        if samples is not None:
            write_page(model, partial / 'page.html', meta, samples, title, runtime)
        differences = export(model, partial / 'model.onnx', True, dict(meta))
        about = json.dumps(dict(meta, end_to_end=True), indent=2, ensure_ascii=False)
        (partial / ABOUT).write_text(about + '\n', encoding='utf-8')
        licence = (_FILES / 'LICENSE.md').read_text(encoding='utf-8')
        (partial / 'LICENSE.md').write_text(licence, encoding='utf-8')
        text = _fill(model, cfg, meta, title, figures, samples is not None)
        (partial / 'README.md').write_text(text, encoding='utf-8')
    return differences


def load_card(folder: str | Path) -> tuple[nn.Module, Config, dict[str, Any]]:
    """Load what ``write_card`` wrote.

    Returns:
        The model, on the CPU and in eval mode; its config; its ``classes`` and ``palette``.

    Raises:
        UserError: A file is missing or does not fit the others.
    """
    folder = Path(folder)
    for name in (WEIGHTS, CONFIG, ABOUT):
        if not (folder / name).is_file():
            raise UserError(f"'{folder}' is no model folder: it has no {name}")
    cfg = load_config(str(folder / CONFIG))
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    model = MODELS.build(cfg.model)
    weights = read_weights(folder / WEIGHTS)
    check_weights(model, weights, folder / WEIGHTS)
    model.load_state_dict(weights, strict=False)
    about = json.loads((folder / ABOUT).read_text(encoding='utf-8'))
    return model.eval(), cfg, model_meta(cfg, about)


def figures_beside(weights: str | Path) -> list[tuple[str, str, float]]:
    """Read the figures that a recorded result has beside its weights; none elsewhere."""
    result = Path(weights).parent / 'result.json'
    if not result.is_file():
        return []
    tests = json.loads(result.read_text(encoding='utf-8')).get('test', {})
    return [
        (test, name, round(value, 4))
        for test, content in tests.items()
        for name, value in content.get('figures', {}).items()
        if isinstance(value, float) and name not in ('time', 'data_time')
    ]


def example(meta: Mapping[str, Any]) -> str:
    """Write the six lines that run the file with numpy, Pillow and ONNX Runtime alone."""
    grey = meta['channels'] == 1
    # cameras store pictures as they were held
    opened = "ImageOps.exif_transpose(Image.open('picture.jpg'))"
    opened += f".convert('{'L' if grey else 'RGB'}')"
    pixels = 'np.asarray(image)[None, ..., None]' if grey else 'np.asarray(image)[None]'
    if meta['colours'] == 'BGR':
        pixels += '[..., ::-1]'
    output, last = {
        'depth': ('depth', _depth_line(meta)),
        'classification': (
            'scores',
            f"print(json.load(open('{ABOUT}'))['classes'][answer.argmax()], answer.max())",
        ),
    }.get(meta['task'], ('classes', "Image.fromarray(answer).save('classes.png')"))
    return '\n'.join(
        [
            'import json, numpy as np, onnxruntime',
            'from PIL import Image, ImageOps',
            f'image = {_resized(opened, meta["resize"])}',
            "network = onnxruntime.InferenceSession('model.onnx')",
            f"answer = network.run(['{output}'], {{'image': {pixels}}})[0][0]",
            last,
        ]
    )


def _depth_line(meta: Mapping[str, Any]) -> str:
    # 16 bits of millimetres reach to 65 m
    deep = (meta.get('depth_range') or [0, 1000])[1] > 65
    factor, unit = (100, 'cm') if deep else (1000, 'mm')
    return (
        f'Image.fromarray((answer[0] * {factor}).clip(0, 65535).astype(np.uint16))'
        f".save('depth_{unit}.png')"
    )


def _resized(opened: str, steps: Sequence[Mapping[str, Any]] | None) -> str:
    """Say in Pillow what the test pipeline does: to a size, into a box, or cut from the middle."""
    for step in steps or ():
        kind, w, h = step['step'], step.get('width', 0), step.get('height', 0)
        if kind == 'center_crop':
            left, top = f'round((i.width - {w}) / 2)', f'round((i.height - {h}) / 2)'
            opened = f'(i := {opened}).crop([{left}, {top}, {left} + {w}, {top} + {h}])'
        elif kind == 'short_edge':
            size = f'[s * {step["size"]} // min(i.size) for s in i.size]'
            opened = f'(i := {opened}).resize({size})'
        elif step['keep_ratio']:  # the box lies or stands as the picture does
            most = f'min({max(w, h)} / max(i.size), {min(w, h)} / min(i.size))'
            opened = f'(i := {opened}).resize([int(s * {most} + 0.5) for s in i.size])'
        else:
            opened = f'{opened}.resize(({w}, {h}))'
    return opened


def _sizes(steps: Sequence[Mapping[str, Any]] | None) -> str:
    """Say what the lines do to the size of a picture."""
    if steps is None:
        return 'Its tests resize pictures in a way that these lines do not: see `config.py`.'
    if steps:
        return 'The pictures are resized as in its tests, but for the filter.'
    return 'Give it pictures of about the size of its data.'


def _fill(
    model: nn.Module,
    cfg: Config,
    meta: Mapping[str, Any],
    title: str,
    figures: Sequence[tuple[str, str, float]],
    page: bool,
) -> str:
    data = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    arch = cfg.model.backbone.get('arch')
    count = sum(p.numel() for p in model.parameters()) / 1e6
    return fill(
        _FILES / 'README.md.j2',
        text=escape_markdown,
        title=title,
        task=meta['task'],
        tag=_TAGS[meta['task']],
        version=__version__,
        count=f'{count:.2f}',
        backbone=arch if isinstance(arch, str) else '',
        code=example(meta),
        sizes=_sizes(meta['resize']),
        colours=meta['colours'] or f'{meta["channels"]}-channel',
        page=page,
        figures=figures,
        data=str(data.get('type', 'unknown')).replace('`', ''),
        classes=meta['classes'] or [],
    )
