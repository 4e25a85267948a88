"""What an exported file says of itself: task, classes, colours, and how pictures come to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from torch import nn

from sacm_mm.core.configs import kind_of, loads_rgb, test_pipeline
from sacm_mm.core.errors import UserError
from sacm_mm.deploy.network import Network
from sacm_mm.models.channels import input_channels, swaps_colours
from sacm_mm.models.task import depth_head_of, task_of


def describe(
    model: nn.Module, cfg: Config | None = None, names: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe a model so that a stranger can run its file; JSON.

    Args:
        model: A segmentor, depth estimator, joint estimator or classifier.
        cfg: Its config, whose test pipeline says how pictures are resized.
        names: Its ``classes`` and ``palette``, see ``model_meta``.

    Returns:
        ``task``, see ``task_of``; ``classes`` and ``palette``, or None; ``threshold`` of a head of
        one logit; ``channels``, ``dtype`` and ``colours`` (RGB, BGR, or None where there are not
        three) of its pictures; ``mean`` and ``std`` of a channel, in the pictures' numbers;
        ``resize``, see ``resizing``; ``mode`` of the host's inference (whole or slide, with or
        without flips); ``depth_range`` in metres.
    """
    network = Network(model)
    task = task_of(model)
    names, cfg = names or {}, cfg or Config()
    # a depth estimator's data set may name classes that it does not predict
    classes = names.get('classes') if task != 'depth' else None
    head: Any = getattr(model, 'decode_head', None)
    one_logit = task in ('segmentation', 'joint') and head.out_channels == 1
    return {
        'task': task,
        'classes': list(classes) if classes else None,
        'palette': [list(map(int, c)) for c in names.get('palette') or ()] if classes else None,
        'threshold': float(head.threshold) if one_logit else None,
        **_pictures(network, cfg),
        'resize': resizing(cfg),
        'mode': (getattr(model, 'test_cfg', None) or {}).get('mode', 'whole'),
        'depth_range': _depth_range(model),
    }


def channels_of(model: nn.Module) -> int:
    """Return how many channels the pictures of a model have."""
    preprocessor: Any = model.data_preprocessor
    if getattr(preprocessor, '_enable_normalize', False):  # a bare one has none
        statistics = len(preprocessor.mean)
        if statistics > 1:  # one value would do for any number of channels
            return statistics
    backbone: Any = getattr(model, 'backbone', model)
    convolutions = (m.in_channels for m in backbone.modules() if isinstance(m, nn.Conv2d))
    return input_channels(backbone) or next(convolutions, 3)


def refuse_other_kinds(meta: Mapping[str, Any], what: str) -> None:
    """Refuse to hand on, from pixels to the answer, a network that takes or says something else.

    Raises:
        UserError: Its pictures have other numbers than 8 bits, or several classes or numbers each.
    """
    instead = 'give --out with a name that ends in .onnx, and no --end-to-end'
    if meta['dtype'] != 'uint8':
        raise UserError(
            f'{what} takes pictures of 8 bits, this network takes {meta["dtype"]}: {instead}'
        )
    says = {'multilabel': 'may say several', 'regression': 'says numbers'}.get(meta['task'])
    if says:
        raise UserError(f'{what} says the one class of a picture, this network {says}: {instead}')


def refuse_other_channels(meta: Mapping[str, Any], what: str) -> None:
    """Refuse to hand on what opens pictures as grey or colours of a network that takes others."""
    if meta['channels'] not in (1, 3):
        raise UserError(
            f'{what} takes pictures of 1 or 3 channels, this network has {meta["channels"]}: '
            'export .onnx'
        )


def _pictures(network: Network, cfg: Config) -> dict[str, Any]:
    """Say which numbers the network takes."""
    preprocessor = network.model.data_preprocessor
    channels = channels_of(network.model)
    normalizes = preprocessor._enable_normalize
    mean = _numbers(preprocessor.mean, channels) if normalizes else [0.0] * channels
    ours = [part for part in test_pipeline(cfg) if kind_of(part) == 'LoadPicture']
    dtype = ours[0].get('dtype') if ours else None
    loaded = 'RGB' if loads_rgb(cfg) else 'BGR'
    return {
        'channels': channels,
        'dtype': dtype or ('uint8' if max(mean) <= 255 else 'uint16'),
        'colours': (loaded[::-1] if swaps_colours(preprocessor) else loaded)
        if channels == 3
        else None,
        'mean': mean,
        'std': _numbers(preprocessor.std, channels) if normalizes else [1.0] * channels,
    }


def _numbers(tensor: Any, channels: int) -> list[float]:
    values = tensor.flatten().expand(channels).tolist()
    return [float(f'{value:.6g}') for value in values]  # 123.675, which float32 does not have


def _depth_range(model: nn.Module) -> list[float] | None:
    """Return the bounds of the predicted depth, in metres, where the head has some."""
    head = depth_head_of(model)
    if not hasattr(head, 'max_depth'):
        return None
    return [float(getattr(head, 'min_depth', 0.0)), float(head.max_depth)]


def resizing(cfg: Config) -> list[dict[str, Any]] | None:
    """Read from a config's test pipeline how a picture comes to the network's size.

    Returns:
        Steps in order, each ``resize`` (``width``, ``height``, ``keep_ratio``), ``short_edge``
        (``size``) or ``center_crop`` (``width``, ``height``), in pixels, the first two with
        ``interpolation`` and ``backend``; empty where pictures keep their sizes, None where the
        pipeline changes them in another way.
    """
    steps = [_step(transform) for transform in test_pipeline(cfg)]
    return None if None in steps else [step for step in steps if step]


def _step(transform: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read one transform: a step, empty where it leaves the picture alone, None if unknown."""
    kind = kind_of(transform)
    how = dict(
        interpolation=transform.get('interpolation', 'bilinear'),
        backend=transform.get('backend', 'cv2'),
    )
    if kind.startswith(('Load', 'Pack')):
        return {}
    if kind == 'Resize' and isinstance(transform.get('scale'), (tuple, list, int)):
        scale = transform['scale']
        width, height = (scale, scale) if isinstance(scale, int) else scale
        keep = bool(transform.get('keep_ratio', False))
        return dict(step='resize', width=int(width), height=int(height), keep_ratio=keep, **how)
    if kind == 'ResizeEdge' and transform.get('edge', 'short') == 'short':
        return dict(step='short_edge', size=int(transform['scale']), **how)
    if kind == 'CenterCrop' and not transform.get('auto_pad'):
        size = transform['crop_size']
        width, height = (size, size) if isinstance(size, int) else size
        return dict(step='center_crop', width=int(width), height=int(height))
    return None
