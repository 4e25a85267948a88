"""Write converted weights as a checkpoint, with a config that the hosts' tools take."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from sacm_mm import __version__
from sacm_mm.convert import load
from sacm_mm.convert.convmixer import to_convmixer
from sacm_mm.core.checkpoints import load_checkpoint, read_weights
from sacm_mm.core.configs import find_config, open_data_root, read_config
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable, write_bytes, write_text
from sacm_mm.datasets.meta import model_meta

# The settings that weights were published for: by classes, and for depth by patch.
_CONFIGS = {
    ('mmseg.EncoderDecoder', 21): 'sacm_voc.py',
    ('mmseg.EncoderDecoder', 150): 'sacm_ade20k.py',
    ('mmseg.EncoderDecoder', 19): 'sacm_cityscapes.py',
    ('sacm_mm.DepthEstimator', 5): 'sacm_nyu.py',
    ('sacm_mm.DepthEstimator', 8): 'sacm_cityscapes_disparity.py',
    ('mmpretrain.ImageClassifier', 10): 'sacm_cifar10.py',
    ('mmpretrain.ImageClassifier', 1000): 'sacm_imagenet.py',
}
_HEADING = '# Converted by sacm_mm from '


def convert(source: Path, out: Path) -> list[Path]:
    """Convert published weights to a checkpoint ``out`` and the config beside it.

    The config is the published setting's with the converted model in it. A network of other
    classes gets none: its settings are in the checkpoint, ``meta.model_cfg``.

    Returns:
        What was written.

    Raises:
        UserError: ``source`` cannot be converted or ``out`` not be written; then nothing is.
    """
    _check_out(source, out)
    model_cfg, state_dict = load(source)
    meta = _provenance(source) | dict(model_cfg=model_cfg)
    cfg = _published_config(model_cfg)
    config = out.with_suffix('.py')
    if cfg is None:
        config.unlink(missing_ok=True)  # of an earlier conversion
        _save_checkpoint(state_dict, meta, out)
        return [out]
    meta['dataset_meta'] = model_meta(cfg)
    cfg.load_from = '{{ fileDirname }}/' + out.name
    _save_checkpoint(state_dict, meta, out)
    write_text(f'{_HEADING}{source.name}\n{open_data_root(cfg.pretty_text)}', config)
    return [out, config]


def convert_back(source: Path, out: Path, naming: str) -> list[Path]:
    """Convert a checkpoint of our classifier to a ConvMixer's, named as in ``NAMINGS``.

    Raises:
        UserError: ``source`` is no such checkpoint or ``out`` cannot be written.
    """
    _check_out(source, out)
    if not source.is_file():
        raise UserError(f"'{source}' does not exist or is no file: name a checkpoint")
    state_dict = to_convmixer(read_weights(source), naming, source)
    out.with_suffix('.py').unlink(missing_ok=True)  # of an earlier conversion
    _save_checkpoint(state_dict, _provenance(source), out)
    return [out]


def _check_out(source: Path, out: Path) -> None:
    if out.suffix != '.pth':
        raise UserError(f"cannot write '{out}': let the name of the checkpoint end in .pth")
    if out.is_dir() or out.resolve() == source.resolve():
        raise UserError(f"cannot write '{out}': it is a folder or the source, choose another name")
    check_writable(out.parent)
    config = out.with_suffix('.py')
    if config.exists() and not config.read_bytes().startswith(_HEADING.encode()):
        raise UserError(f"'{config}' exists and is not of this tool: choose another name for OUT")
    if out.exists() and not _is_converted(out):
        raise UserError(f"'{out}' exists and is not of this tool: choose another name for OUT")


def _is_converted(path: Path) -> bool:
    try:
        return 'sha256' in load_checkpoint(path).get('meta', {})
    except UserError:
        return False


def _provenance(source: Path) -> dict[str, Any]:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return dict(source=source.name, sha256=digest, sacm_mm=__version__)


def _published_config(model_cfg: Mapping[str, Any]) -> Config | None:
    head = model_cfg.get('decode_head') or model_cfg['head']
    size = head.get('num_classes') or head['upscale_factor']
    name = _CONFIGS.get((model_cfg['type'], size))
    backbone = model_cfg['backbone']
    if backbone['type'] == 'sacm_mm.ConvMLP':
        name = f'convmlp_{backbone["arch"]}_imagenet.py' if size == 1000 else None
    if name is None:
        return None
    cfg = read_config(find_config(name))
    max_depth = cfg.model.get('decode_head', {}).get('max_depth')
    cfg.model = model_cfg
    if max_depth:  # an unbounded head has it too: truth beyond it is invalid in training
        cfg.model.decode_head.max_depth = max_depth
    return cfg


def _save_checkpoint(
    state_dict: Mapping[str, torch.Tensor], meta: Mapping[str, Any], path: Path
) -> None:
    buffer = io.BytesIO()
    torch.save(dict(state_dict=dict(state_dict), meta=dict(meta)), buffer)
    write_bytes(buffer.getvalue(), path)
