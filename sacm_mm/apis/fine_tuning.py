"""Start from the weights of another training: other classes, other channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from torch import Tensor, nn

from sacm_mm.apis.find_model import find_model
from sacm_mm.core.checkpoints import read_weights
from sacm_mm.core.errors import UserError
from sacm_mm.deploy.description import channels_of

_HEADS = ('decode_head.', 'auxiliary_head.', 'depth_head.', 'head.')


def weights_to_start_from(
    model: nn.Module, name: str, trust: bool = False
) -> tuple[dict[str, Tensor], str]:
    """Fit the weights of another training to a model.

    Heads for other classes are left out, and the first layer is adapted to other channels: each
    gets the mean of those that were trained.

    Args:
        model: The model.
        name: A published model (``camvid_light``), a work dir, or a file of weights.
        trust: Take a file that runs code.

    Returns:
        The tensors that the model starts from, and what was done, in words.

    Raises:
        UserError: They are of another backbone.
    """
    cfg, path = (None, name) if Path(name).is_file() else find_model(name)
    found = read_weights(path, trust)
    wanted, channels = model.state_dict(), channels_of(model)
    theirs = cfg and ((cfg.model.get('backbone') or {}).get('in_channels') or 3)
    kept, left_out, adapted, missing = {}, [], [], []
    for key, tensor in wanted.items():
        if key in found and found[key].shape == tensor.shape:
            kept[key] = found[key]
        elif key.startswith(_HEADS):
            left_out.append(key)
        elif key in found and (
            (fitted := _with_channels(found[key], tensor, channels, theirs)) is not None
        ):
            kept[key] = fitted
            adapted.append(key)
        else:
            missing.append(key)
    if missing or not kept:
        raise UserError(
            f"'{path}' holds weights of another backbone than the config: "
            f'{(missing or list(wanted))[0]} does not fit; choose weights of this one'
            f'{_their_backbone(cfg)}'
        )
    return kept, _said(path, found, wanted, left_out, adapted)


def _their_backbone(cfg: Config | None) -> str:
    """Say how a config gets the backbone of the weights."""
    model = (cfg or {}).get('model') or {}
    arch = (model.get('backbone') or {}).get('arch')
    if not isinstance(arch, str):
        return ''
    head = 'head' if model.get('head') else 'decode_head'
    settings = {'model.backbone.arch': arch}
    section = model.get(head)
    for key in ('in_channels', 'upscale_factor'):
        if isinstance(section, Mapping) and isinstance(value := section.get(key), int):
            settings[f'model.{head}.{key}'] = str(value)
    pairs = ' '.join(f'{key}={value}' for key, value in settings.items())
    return f', or give the config theirs: --cfg-options {pairs}'


def _with_channels(
    found: Tensor, wanted: Tensor, channels: int, theirs: int | None
) -> Tensor | None:
    """Adapt a first layer, of patches too, whose inputs are channels times pixels of a patch.

    Where the channels that were trained are not known, those that would be this network's with
    larger patches are taken for these.
    """
    if found.ndim != 4 or wanted.ndim != 4 or wanted.shape[1] % channels:
        return None
    pixels = wanted.shape[1] // channels
    before, rest = divmod(found.shape[1], pixels)
    same = found.shape[0] == wanted.shape[0] and found.shape[2:] == wanted.shape[2:]
    if rest or not before or not same:
        return None
    larger = (before / channels) ** 0.5
    if pixels > 1 and (before != theirs if theirs else larger > 1 and larger.is_integer()):
        return None  # of patches of another size
    split = found.reshape(len(found), before, pixels, *found.shape[2:])
    # the sum over the channels stays what it was
    mean = split.mean(dim=1, keepdim=True) * (before / channels)
    return mean.expand(-1, channels, *(-1,) * (mean.ndim - 2)).reshape(wanted.shape)


def _said(
    path: str,
    found: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    left_out: list[str],
    adapted: list[str],
) -> str:
    text = f"weights of '{path}'"
    other = [key for key in left_out if key in found]
    if other:
        key = max(other, key=lambda name: wanted[name].numel())
        text += (
            f'; left out on purpose: {key.partition(".")[0]} '
            f'({tuple(found[key].shape)} there, {tuple(wanted[key].shape)} here)'
        )
    elif left_out:
        text += f'; {left_out[0].partition(".")[0]} is not among them'
    if adapted:
        text += f'; adapted to the channels: {", ".join(adapted)}'
    return text
