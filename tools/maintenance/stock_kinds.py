"""The distinct kinds of stock configs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.configs import host_config_folder

# where the hosts' models have their heads
HEADS = {
    'mmseg': ('decode_head',),
    'mmpretrain': ('head',),
    'mmdet': ('rpn_head', 'roi_head', 'bbox_head', 'mask_head', 'panoptic_head', 'semantic_head'),
}


@dataclass(frozen=True)
class Kind:
    """Stock configs whose models have the same type, backbone, neck and heads.

    Attributes:
        host: A key of ``HEADS``.
        name: These types.
        config: The one with the smallest backbone, relative to the host's configs.
        configs: How many there are.
    """

    host: str
    name: str
    config: str
    configs: int

    @property
    def path(self) -> Path:
        """Return the file."""
        return host_config_folder(self.host) / self.config


def stock_kinds(host: str, processes: int = 1) -> list[Kind]:
    """Sort a host's stock configs by kind: for mmpretrain those of an ``ImageClassifier``.

    The types of the segmentor, the backbone, the neck and the decode heads make 76 kinds of the 682
    configs of mmsegmentation. Configs that do not load are left out.
    """
    files = sorted(host_config_folder(host).glob('[!_]*/**/*.py'))
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            read = list(pool.map(partial(_read, host=host), files, chunksize=8))
    else:
        read = [_read(path, host) for path in files]
    groups: dict[str, list[tuple[float, str]]] = {}
    for entry in read:
        if entry is not None:
            name, size, config = entry
            groups.setdefault(name, []).append((size, config))
    return [Kind(host, name, min(group)[1], len(group)) for name, group in groups.items()]


def _read(path: Path, host: str) -> tuple[str, float, str] | None:
    try:
        model = Config.fromfile(path, import_custom_modules=False).get('model')
    except Exception:  # some need packages that are not there, or were moved to another loader
        return None
    if not isinstance(model, Mapping):
        return None
    if host == 'mmpretrain' and model.get('type') != 'ImageClassifier':
        return None
    heads = [model[key] for key in HEADS[host] if model.get(key)]
    parts = [model.get('backbone'), model.get('neck'), heads or None]
    name = ' | '.join([str(model.get('type')), *map(_type, parts)])
    return name, _size(model.get('backbone')), path.relative_to(host_config_folder(host)).as_posix()


def _type(part: Any) -> str:
    if isinstance(part, (list, tuple)):
        return ' + '.join(map(_type, part))
    return str(part.get('type')) if isinstance(part, Mapping) else '-'


def _size(cfg: Any) -> float:
    """Guess which of two backbones of one family is smaller, from the numbers in their configs."""
    return sum(_numbers(cfg))


def _numbers(value: Any) -> Iterator[float]:
    sizes = ('tiny', 'small', 'base', 'large', 'huge', 'giant')
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ('img_size', 'pretrain_img_size', 'norm_cfg', 'act_cfg', 'init_cfg'):
                yield from _numbers(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, (int, float)):
        yield float(value)
    elif isinstance(value, str):
        initials = ('t', 's', 'b', 'l', 'h', 'g')
        rank = sizes.index(value) if value in sizes else -1
        rank = initials.index(value[0]) if rank < 0 and value[:1] in initials else rank
        yield 1000.0 * max(rank, 0)
