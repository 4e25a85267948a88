"""Read CVAT's own format, "CVAT for images 1.1": one XML file and the photos."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import ImageColor

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.datasets.picture_files import find_files, find_pictures

from .categories import Wishes
from .class_names import Colour
from .pairing import existing_folder, fold_name
from .run_lengths import mask_of_runs
from .samples import Sample, Source, check_found, count, photos_left_out, split_of
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

_NO_AREA = ('polyline', 'points', 'cuboid', 'skeleton', 'tag')


def read_cvat(folder: Path, photos: Path | None, wishes: Wishes) -> Source:
    """Read an unpacked export.

    Args:
        folder: Where it was unpacked; or its XML file.
        photos: Folder of the photos, for an export without them.
        wishes: What the user wants of the classes.

    Raises:
        UserError: Something is missing or not CVAT's; the message names it.
    """
    path = _find_xml(folder)
    root = _parse(path)
    labels, colours = _labels(root)
    place = existing_folder(photos or path.parent, 'photos')
    pictures = find_pictures(place)
    if not pictures:
        raise UserError(f"no photos in '{place}': export with 'Save images', or name their folder")
    by_name: dict[str, list[Path]] = defaultdict(list)
    for picture in pictures:  # frames of a video are named without suffix
        by_name[fold_name(picture.name)].append(picture)
        by_name[fold_name(picture.stem)].append(picture)
    samples: list[Sample] = []
    skipped: Counter[str] = Counter()
    missing: list[str] = []
    for image in root.iter('image'):
        name, subset = image.get('name', ''), image.get('subset')
        found = _find_picture(name, subset, by_name, place)
        if found is None:
            missing.append(name)
            continue
        with damage_named(f"image '{name}' of '{path}'"):
            size = picture_size(image.attrib['height'], image.attrib['width'])
        shapes = []
        for number, element in enumerate(image, 1):
            what = f"shape {number} of image '{name}' in '{path}'"
            with damage_named(f'{what}, a {element.tag},'):
                shape = _shape(element, what, wishes.boxes)
            if shape is not None:
                shapes.append(shape)
            elif element.tag in (*_NO_AREA, 'box'):
                skipped[element.tag] += 1
        stem = Path(name.replace('\\', '/')).with_suffix('').as_posix()
        split = split_of(subset) if subset else None
        full = f'{subset}/{stem}' if subset and subset != 'default' else stem
        mask = DrawnMask(shapes, size, str(path))
        samples.append(Sample(full, found, mask, split=split))
    check_found(samples, missing, path, place)
    notes = [f'CVAT: {path.name}, {count(len(samples), "photo")}']
    source = finish_shapes(samples, labels, wishes, notes, colours)
    source.warnings += photos_left_out(pictures, samples, missing)
    if skipped:
        kinds = ', '.join(f'{number} {kind}' for kind, number in skipped.items())
        hint = '; --boxes takes boxes for areas' if skipped['box'] else ''
        source.warnings.append(f'shapes without area are left out: {kinds}{hint}')
    return source


def _find_xml(folder: Path) -> Path:
    if folder.is_file() and folder.suffix.lower() == '.xml':
        return folder
    existing_folder(folder, 'CVAT')
    found = find_files(folder, ('.xml',))
    if len(found) == 1:
        return found[0]
    named = folder / 'annotations.xml'
    if named in found:
        return named
    raise UserError(
        f"'{folder}' holds {len(found)} XML files: name the one of the export, annotations.xml"
    )


def _parse(path: Path) -> ElementTree.Element:
    try:
        text = path.read_bytes()
        if b'<!ENTITY' in text:  # it would be expanded without end
            raise UserError(f"'{path}' declares entities, which no export of CVAT does")
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"cannot read '{path}' ({one_line(error)}): export it anew") from error
    if root.tag != 'annotations':
        raise UserError(f"'{path}' is no export of CVAT: export as 'CVAT for images 1.1'")
    if root.find('image') is None:
        kind = 'of a video' if root.find('track') is not None else 'without images'
        raise UserError(f"'{path}' is an export {kind}: export it as 'CVAT for images 1.1'")
    return root


def _labels(root: ElementTree.Element) -> tuple[list[str], dict[str, Colour]]:
    names, colours = [], {}
    for label in root.iterfind('.//labels/label'):
        name, colour = (label.findtext('name') or '').strip(), label.findtext('color') or ''
        if name:
            names.append(name)
            with suppress(ValueError):  # it is for looking at
                r, g, b = ImageColor.getrgb(colour)[:3]
                colours[name] = (r, g, b)
    return names, colours


def _find_picture(
    name: str, subset: str | None, by_name: Mapping[str, list[Path]], place: Path
) -> Path | None:
    name = name.replace('\\', '/')
    *folders, base = fold_name(name).split('/')
    same = [
        path
        for path in by_name.get(base, [])
        if [fold_name(part) for part in path.parts[-len(folders) - 1 : -1]] == folders
    ]
    for folder in (place, place / 'images', *([place / 'images' / subset] if subset else [])):
        path = folder / name
        right = subset is None or subset in path.parts or folder != place
        if path in same and right:
            return path
    if len(same) > 1 and subset:
        same = [path for path in same if subset in path.parts]
    return same[0] if len(same) == 1 else None


def _shape(element: ElementTree.Element, what: str, boxes: bool) -> Shape | None:
    kind = element.tag
    if kind not in ('polygon', 'ellipse', 'mask') and not (kind == 'box' and boxes):
        return None
    label = element.get('label') or ''
    if not label:
        raise UserError(f'{what} has no label: give it one')
    order = int(element.get('z_order') or 0)
    degrees = float(element.get('rotation') or 0)
    if kind == 'polygon':
        text = element.get('points', '')
        points = [tuple(map(float, pair.split(','))) for pair in text.split(';') if pair]
        return Shape(label, (check_ring(points, what),), order=order)
    if kind == 'ellipse':
        x, y, rx, ry = (float(element.attrib[key]) for key in ('cx', 'cy', 'rx', 'ry'))
        return Shape(label, (ellipse(x, y, rx, ry, degrees),), order=order)
    if kind == 'box':
        x0, y0, x1, y1 = (float(element.attrib[key]) for key in ('xtl', 'ytl', 'xbr', 'ybr'))
        return Shape(label, (rectangle(x0, y0, x1, y1, degrees),), order=order)
    return Shape(label, patch=_patch(element), order=order)


def _patch(element: ElementTree.Element) -> tuple[np.ndarray, int, int]:
    """Decode a brush mask: run lengths, row by row."""
    width, height = (round(float(element.attrib[key])) for key in ('width', 'height'))
    runs = [int(run) for run in element.attrib['rle'].replace(';', ',').split(',')]
    left, top = (round(float(element.attrib[key])) for key in ('left', 'top'))
    return mask_of_runs(runs, (height, width), order='C'), left, top
