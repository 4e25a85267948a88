"""What a model's classes are called and how they are coloured: one answer for every tool."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS


def model_meta(cfg: Config, *found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the classes of a config's model and their colours.

    The first source wins that names as many classes as the model has: what was found in files, in
    the order given (a checkpoint's ``dataset_meta``, what an exported file says of itself), the
    config's ``metainfo`` or ``classes``, the data set's own names. Where none does they are called
    by number. A source that names no colours gets those that a later one has for the same names.

    Args:
        cfg: A leaf config.
        *found: Mappings with ``classes`` and perhaps ``palette``; or None.

    Returns:
        ``classes``, a tuple, and ``palette``, a list of [red, green, blue], 0 to 255; empty when
        neither the model nor any source says anything of classes.
    """
    count = count_classes(cfg.get('model') or {})
    sources = [s for s in (*map(_read, found), *_of_config(cfg)) if s]
    fitting = [s for s in sources if count is None or len(s['classes']) == count]
    if fitting:
        classes = fitting[0]['classes']
    elif count:
        classes = tuple(f'class {i}' for i in range(count))
    else:
        return {}
    return dict(classes=classes, palette=_colours(classes, fitting[:1] + sources))


def count_classes(model: Mapping[str, Any]) -> int | None:
    """Read from a model's config how many classes it tells apart; None where it tells none."""
    for key in ('decode_head', 'head'):
        head = model.get(key)
        if isinstance(head, Sequence) and head:  # a cascade: the last one decides
            head = head[-1]
        if isinstance(head, Mapping):
            count = head.get('num_classes')
            # the hosts' depth heads inherit the field, and give it the value 1
            return count if isinstance(count, int) and 'max_depth' not in head else None
    return None


def _read(source: Any) -> dict[str, Any] | None:
    """Bring what a file or config says into one form; checkpoints of old hosts use capitals."""
    if not isinstance(source, Mapping):
        return None
    values = {str(key).lower(): value for key, value in source.items()}
    classes, palette = values.get('classes'), values.get('palette')
    if isinstance(classes, str) and Path(classes).is_file():  # mmpretrain takes a file of names
        classes = Path(classes).read_text(encoding='utf-8').splitlines()
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not classes:
        return None
    classes = tuple(map(str, classes))
    with suppress(TypeError, ValueError):
        colours = np.asarray(palette).astype(np.int64)
        if colours.shape == (len(classes), 3) and ((colours >= 0) & (colours <= 255)).all():
            return dict(classes=classes, palette=colours.tolist())
    return dict(classes=classes, palette=None)


def _of_config(cfg: Config) -> Iterator[dict[str, Any] | None]:
    """Yield what the config says of its test data, then what the data set's class says."""
    for loader in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        for dataset in leaves((cfg.get(loader) or {}).get('dataset')):
            yield _read(dataset.get('metainfo'))
            yield _read(dataset)
            kind = dataset.get('type')
            if isinstance(kind, str):
                with DATASETS.switch_scope_and_registry(cfg.get('default_scope')) as registry:
                    kind = registry.get(kind)
            yield _read(getattr(kind, 'METAINFO', None))


def leaves(dataset: Any) -> Iterator[Mapping[str, Any]]:
    """Look inside what wraps data sets: repeated, concatenated, balanced ones."""
    if not isinstance(dataset, Mapping):
        return
    inner = dataset.get('datasets') or dataset.get('dataset')
    if inner is None:
        yield dataset
    for part in inner if isinstance(inner, Sequence) else [inner]:
        yield from leaves(part)


def _colours(classes: tuple[str, ...], sources: list[dict[str, Any]]) -> list[list[int]]:
    if sources and sources[0]['classes'] == classes and sources[0]['palette']:
        return sources[0]['palette']
    named: dict[str, list[int]] = {}
    for source in reversed(sources):
        named.update(zip(source['classes'], source['palette'] or ()))
    return [named.get(name) or _colour(i) for i, name in enumerate(classes)]


def _colour(index: int) -> list[int]:
    """Return a colour of its own for a class that nobody gave one; the same at every call."""
    hue = index * 0.618 % 1  # steps of the golden section: neighbours differ, none comes back
    return [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 0.9)]
