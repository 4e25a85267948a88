"""Read labelme: a JSON file for each photo, beside it or in another folder."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import find_files, find_pictures

from .categories import Wishes
from .pairing import existing_folder, is_inside
from .read_coco import load_json
from .samples import Sample, Source, count, left_out, photos_left_out
from .shapes import (
    DrawnMask,
    Shape,
    check_ring,
    damage_named,
    ellipse,
    finish_shapes,
    picture_size,
    rectangle,
)

_NO_AREA = ('line', 'linestrip', 'point', 'points')


def read_labelme(folder: Path, photos: Path | None, wishes: Wishes) -> Source:
    """Read a folder of labelme files and their photos, and the folders in it.

    Args:
        folder: Of the files.
        photos: Of the photos, if they are not beside the files.
        wishes: What the user wants of the classes.

    Raises:
        UserError: There are none, or one is not labelme's; the message names it.
    """
    existing_folder(folder, 'labelme')
    if photos is not None:
        existing_folder(photos, 'photos')
    files = find_files(folder, ('.json',))
    if not files:
        raise UserError(f"no labelme files in '{folder}': it needs .json files beside the photos")
    samples: list[Sample] = []
    skipped: Counter[str] = Counter()
    missing: list[str] = []
    for path in files:
        content = load_json(path, 'labelme file')
        if not isinstance(content, Mapping) or not isinstance(content.get('shapes'), list):
            raise UserError(f"'{path}' is no labelme file: it has no list 'shapes'; take it out")
        picture = _find_picture(path, content, folder, photos)
        if picture is None:
            missing.append(path.name)
            continue
        shapes = []
        for number, entry in enumerate(content['shapes'], 1):
            what = f"shape {number} of '{path}'"
            with damage_named(what):
                shape = _shape(entry, what)
            if isinstance(shape, str):
                skipped[shape] += 1
            else:
                shapes.append(shape)
        with damage_named(f"'{path}'"):
            size = picture_size(content.get('imageHeight'), content.get('imageWidth'))
        name = path.relative_to(folder).with_suffix('').as_posix()
        samples.append(Sample(name, picture, DrawnMask(shapes, size, str(path))))
    if not samples:
        raise UserError(
            f"none of the photos of the labelme files in '{folder}' is there, such as that of "
            f"'{missing[0]}': put each beside its file, or give their folder second"
        )
    source = finish_shapes(samples, [], wishes, [f'labelme: {count(len(samples), "file")}'])
    source.warnings += left_out('file', missing, 'photo')
    source.warnings += photos_left_out(find_pictures(photos or folder), samples)
    if skipped:
        kinds = ', '.join(f'{number} {kind}' for kind, number in skipped.items())
        source.warnings.append(f'shapes without area are left out: {kinds}')
    return source


def _find_picture(
    path: Path, content: Mapping[str, Any], folder: Path, photos: Path | None
) -> Path | None:
    """Find the photo: where in the folder the file says, or beside it under its name or its own.

    In a folder of photos it is where the file is in its folder.
    """
    home = path.parent if photos is None else photos / path.parent.relative_to(folder)
    named = str(content.get('imagePath') or '').replace('\\', '/')
    candidates = [path.parent / named, home / Path(named).name] if named else []
    for candidate in candidates:
        if is_inside(candidate, photos or folder) and candidate.is_file():
            return candidate
    beside = [p for p in sorted(home.glob('*')) if p.stem == path.stem and p != path]
    return next((p for p in beside if p.suffix.lower() != '.json' and p.is_file()), None)


def _shape(entry: Any, what: str) -> Shape | str:
    """Return a shape, or the kind of one that has no area."""
    named = isinstance(entry, Mapping) and isinstance(entry.get('label'), (str, int))
    if not named or entry['label'] == '' or 'points' not in entry:
        raise UserError(f'{what} has no label or no points: mend it')
    label, points = str(entry['label']), entry['points']
    kind = entry.get('shape_type') or 'polygon'
    if kind in _NO_AREA:
        return str(kind)
    if kind == 'polygon':
        return Shape(label, (check_ring(points, what),))
    pair = np.asarray(points, np.float64).reshape(-1, 2) if points else np.zeros((0, 2))
    if len(pair) < 2:
        raise UserError(f'{what}, a {kind}, has {len(pair)} points: it needs two, mend it')
    (x0, y0), (x1, y1) = pair[0], pair[1]
    if kind == 'rectangle':
        x, y = pair[:, 0], pair[:, 1]  # two corners, or four since version 6
        return Shape(label, (rectangle(x.min(), y.min(), x.max(), y.max()),))
    if kind == 'circle':
        radius = float(np.hypot(x1 - x0, y1 - y0))
        return Shape(label, (ellipse(x0, y0, radius, radius),))
    if kind == 'mask':
        return Shape(label, patch=(_decode(entry.get('mask'), what), round(x0), round(y0)))
    raise UserError(f"{what} is of the unknown kind '{kind}': draw it as a polygon")


def _decode(text: Any, what: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            return np.asarray(image.convert('L')) > 0
    except Exception as error:  # each decoder has exceptions of its own
        raise UserError(f'{what} holds a mask that does not decode: draw it anew') from error
