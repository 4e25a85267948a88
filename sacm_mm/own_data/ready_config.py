"""Choose a network, crop, schedule and metrics for a data set, and write them as a config.

Every choice comes with its reason, which the config carries as a comment.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from sacm_mm.core.templates import fill
from sacm_mm.datasets.picture_files import PLAIN_SUFFIXES

TEMPLATES = Path(__file__).parent / 'templates'
_IMBALANCE = 10  # from this ratio of two classes' shares on, the loss is weighted
# the hosts read them; of TIFFs OpenCV takes some rows for pages
_PLAIN = set(PLAIN_SUFFIXES) - {'.tif', '.tiff'}
_LONGEST = 1024  # pixels; larger pictures are made smaller
_LONGEST_DEPTH = 640


def template_values(content: dict[str, Any], name: str, command: str) -> dict[str, Any]:
    """Choose everything that a ready config holds.

    Args:
        content: What ``dataset.yaml`` says.
        name: Of the data set.
        command: How it was made.
    """
    pictures = content['pictures']
    channels = pictures['channels']
    plain = (channels, pictures['dtype']) == (3, 'uint8')
    plain &= _PLAIN.issuperset(pictures['suffixes'])
    values: dict[str, Any] = {
        'task': content['task'], 'name': name, 'command': ' '.join(command.split()),
        'channels': channels, 'plain': plain,
        'classes': [entry['name'] for entry in content.get('classes') or ()],
        'mean': pictures['mean'], 'std': pictures['std'],
        'loader': "dict(type='LoadImageFromFile')" if plain
        else f"dict(type='sacm_mm.LoadPicture', channels={channels}, dtype='{pictures['dtype']}')",
        'number': content['counts'], 'size': pictures['size'],
        'test_part': 'test' if content['counts'].get('test') else 'val',
        'workers': min(4, os.cpu_count() or 1), 'gpu': _gpu_gib(),
    }  # fmt: skip
    values['dim'], values['layers'] = (512, 12) if values['gpu'] else (256, 8)
    choose = {'segmentation': _segmentation, 'depth': _depth, 'classification': _classification}
    values.update(choose[content['task']](content, values))
    return values


def config_text(values: dict[str, Any]) -> str:
    """Fill the template of the task."""
    return fill(TEMPLATES / f'{values["task"]}.py.j2', **values)


def _gpu_gib() -> int:
    import torch

    if not torch.cuda.is_available():
        return 0
    return round(torch.cuda.get_device_properties(0).total_memory / 2**30)


def _fit(size: list[int], longest: int) -> tuple[int, int]:
    """Shrink width and height so that the longer side is at most ``longest``."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _patch(short: int) -> int:
    """Choose the side of a patch: about 60 tokens along the short side, as in the paper."""
    return 2 if short < 96 else 4 if short < 240 else 5 if short < 480 else 8


def _depth_patch(short: int) -> int:
    """Choose the side of a patch for CPUs: 15 to 30 tokens along the short side.

    With 60 a step takes five times as long: in the same time depth is worse (results/nyu_windows).
    """
    return 4 if short < 96 else 8 if short < 240 else 16


def _batch(values: dict[str, Any], pixels: int) -> int:
    """Choose a batch that fits the memory: 4 crops of 320x320 on a CPU, more on a large GPU."""
    wanted = 4 if not values['gpu'] else max(4, min(32, values['gpu']))
    wanted = max(2, round(wanted * min(4.0, 320 * 320 / pixels)))
    return max(1, min(wanted, 32, values['number']['train']))


def _schedule(values: dict[str, Any], batch: int) -> dict[str, int]:
    """Choose how long to train: 40 epochs, but at least 2000 steps and at most 40,000."""
    an_epoch = math.ceil(values['number']['train'] / batch)
    iterations = min(max(40 * an_epoch, 2000), 40000)
    return {
        'batch': batch, 'iterations': iterations, 'epochs': max(1, round(iterations / an_epoch)),
        'interval': max(1, iterations // 10),
    }  # fmt: skip


def _segmentation(content: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    scale = _fit(values['size']['median'], _LONGEST)
    patch = _patch(min(scale))
    most = 512 if values['gpu'] else 320
    crop = max(patch, min(most, min(scale)) // patch * patch)
    weight, ratio = class_weights(content['train']['share_of_pixels'])
    return {
        'scale': scale, 'patch': patch, 'crop': crop, 'weight': weight, 'ratio': ratio,
        'shrunk': max(values['size']['largest']) > _LONGEST, 'longest': _LONGEST,
        **_schedule(values, _batch(values, crop * crop)),
    }  # fmt: skip


def class_weights(shares: list[float]) -> tuple[list[float], float]:
    """Weigh the loss where classes are rare: 1 / sqrt(share), mean 1, at most 5.

    Returns:
        The weights, empty where the classes are balanced; and how often the most frequent class
        is seen for once the rarest. Classes that never occur weigh 1.
    """
    seen = [share for share in shares if share > 0]
    ratio = max(seen, default=1) / min(seen, default=1)
    if ratio < _IMBALANCE:
        return [], ratio
    raw = [1 / math.sqrt(share) if share > 0 else 0.0 for share in shares]
    mean = sum(raw) / len(seen)
    return [round(min(value / mean, 5.0), 2) if value else 1.0 for value in raw], ratio


def _depth(content: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    size, depth = values['size'], content['depth']
    width, height = _fit(size['median'], _LONGEST_DEPTH if values['gpu'] else 320)
    patch = (_patch if values['gpu'] else _depth_patch)(min(width, height))
    far = max(depth['far'], depth['step'])
    digits = 10 ** math.floor(math.log10(far))
    most = math.ceil(far * 1.05 / digits * 2) / 2 * digits
    near = min(max(depth['near'] / 2, 1e-3), most / 10)
    wide = far > 20 * max(depth['median'], 1e-6) / 4 and far > 20
    return {
        'scale': (width, height), 'patch': patch, 'far': far,
        'max_depth': float(f'{most:.6g}'), 'min_depth': float(f'{near:.3g}'),
        'bound': 'log' if wide else 'sigmoid', 'step': depth['step'], 'metric': depth['metric'],
        **_schedule(values, max(1, min(8, values['number']['train']))),
    }  # fmt: skip


def _classification(content: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    short = min(values['size']['median'])
    largest = 224 if values['gpu'] else 128
    side = min(max(short, 8), largest)
    small = side <= 64
    patch = 2 if side <= 48 else 4 if side <= 96 else 7
    side = max(patch, side // patch * patch)
    wanted = 128 if small else 32
    batch = max(1, min(wanted, values['number']['train'] // 4 or 1))
    an_epoch = max(1, values['number']['train'] // batch)
    epochs = min(max(round(3000 / an_epoch), 5), 200)
    weight, ratio = class_weights(content['train']['share_of_pictures'])
    return {
        'side': side, 'small': small, 'patch': patch, 'batch': batch, 'epochs': epochs,
        'topk': (1, 5) if len(values['classes']) > 10 else (1,), 'weight': weight,
        'ratio': ratio, 'kernel': 5 if small else 7,
    }  # fmt: skip
