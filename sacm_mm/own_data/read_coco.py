"""Read COCO: a JSON file of instances, and the photos; polygons and run lengths."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.datasets.picture_files import find_files

from .categories import Wishes
from .pairing import existing_folder, fold_name, is_inside, list_pictures
from .samples import SPLITS, Sample, Source, check_found, count, listed, photos_left_out, split_of
from .shapes import (
    DrawnMask,
    Shape,
    check_ring,
    damage_named,
    finish_shapes,
    picture_size,
    rectangle,
)


def read_coco(annotations: Path, photos: Path | None, wishes: Wishes) -> Source:
    """Read a COCO data set.

    Args:
        annotations: Its JSON file; or a folder that holds one for each part, such as
            ``instances_train.json`` or Roboflow's ``train/_annotations.coco.json``.
        photos: Folder of the photos; None takes the folder of the annotations.
        wishes: What the user wants of the classes.

    Raises:
        UserError: Something is missing or not COCO; the message names it.
    """
    files = _annotation_files(annotations)
    folder = existing_folder(photos or (annotations if annotations.is_dir() else
                                        annotations.parent), 'photos')  # fmt: skip
    on_disk = _PictureIndex(folder)
    samples: list[Sample] = []
    labels: dict[int | str, str] = {}
    boxes, missing = 0, []
    for file, split in files:
        content = _load(file)
        names = {category['id']: category['name'] for category in content['categories']}
        labels.update(names)
        shapes, bare = _shapes(content, file, names, wishes)
        boxes += bare
        for image in content['images']:
            sample = _sample(image, file, shapes, on_disk, split)
            if sample is None:
                missing.append(image['file_name'])
            else:
                samples.append(sample)
    check_found(samples, missing, files[0][0], folder)
    _check_unique(samples, annotations)
    same = len({file.name for file, _ in files}) < len(files)
    named = [f'{file.parent.name}/{file.name}' if same else file.name for file, _ in files]
    notes = [f'COCO: {listed(named)}, {count(len(samples), "photo")}']
    # in the order of their numbers, those of text last
    order = sorted(labels, key=lambda key: (isinstance(key, str), key))
    source = finish_shapes(samples, [labels[key] for key in order], wishes, notes)
    source.warnings += photos_left_out(on_disk.pictures, samples, missing)
    if boxes:
        source.warnings.append(
            f'{count(boxes, "object has", "objects have")} a box but no polygon and '
            f'{"is" if boxes == 1 else "are"} left out: --boxes takes boxes for areas'
        )
    return source


class _PictureIndex:
    """Finds a photo by the name that an annotation gives it, with or without its folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = list(list_pictures(folder, 'photos').values())
        self.by_base: dict[str, list[Path]] = defaultdict(list)
        for path in self.pictures:
            self.by_base[fold_name(path.name)].append(path)

    def find(self, name: str, near: Path, split: str | None) -> Path | None:
        """Return the photo: in the folder, beside the annotation, or the only one of the name."""
        name = name.replace('\\', '/')
        for place in (self.folder, near):
            if is_inside(place / name, place) and (place / name).is_file():
                return place / name
        found = self.by_base.get(fold_name(Path(name).name), [])
        if len(found) > 1 and split:
            found = [p for p in found if split_of(p.parent.name.rstrip('0123456789')) == split]
        return found[0] if len(found) == 1 else None


def _annotation_files(annotations: Path) -> list[tuple[Path, str | None]]:
    if annotations.is_file():
        return [(annotations, None)]
    folder = existing_folder(annotations, 'annotations')
    by_split: dict[str, Path] = {}
    for path in find_files(folder, ('.json',)):
        words = path.stem.lower().replace('-', '_').replace('.', '_').split('_')
        words = [word.rstrip('0123456789') for word in (*words, path.parent.name.lower())]
        if 'instances' not in words and 'coco' not in words and len(words) > 3:
            continue
        split = next((split_of(word) for word in words if split_of(word)), None)
        kind = path.stem.split('_')[0]
        if split and kind not in ('captions', 'person', 'panoptic', 'stuff', 'image', 'labels'):
            if split in by_split:
                raise UserError(
                    f"'{by_split[split]}' and '{path}' are both for {split}: name one file"
                )
            by_split[split] = path
    if not by_split:
        there = sorted(folder.glob('*.json'))
        if len(there) == 1:
            return [(there[0], None)]
        raise UserError(
            f"no COCO file for train or val in '{folder}': name the JSON file, such as "
            f'{there[0] if there else folder / "instances.json"}'
        )
    return [(by_split[split], split) for split in SPLITS if split in by_split]


def load_json(path: Path, what: str) -> Any:
    """Read a JSON file.

    Raises:
        UserError: It cannot be read; the message names it and the line.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8-sig'))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {what} '{path}' ({one_line(error)}): mend or remove it"
                        ) from error  # fmt: skip


def _load(path: Path) -> dict[str, Any]:
    content = load_json(path, 'annotations')
    wanted = ('images', 'annotations', 'categories')
    if not isinstance(content, Mapping) or any(
        not isinstance(content.get(key), list) for key in wanted
    ):
        raise UserError(
            f"'{path}' is no COCO file of instances: it needs the lists images, annotations and "
            'categories'
        )
    for kind, key, name in (('image', 'images', 'file_name'), ('category', 'categories', 'name')):
        known: dict[int | str, str] = {}
        for number, entry in enumerate(content[key], 1):
            what = f"{kind} {number} of '{path}'"
            _check_entry(entry, name, what)
            if known.setdefault(entry['id'], entry[name]) != entry[name]:
                raise UserError(
                    f"{what}, '{entry[name]}', has the id {entry['id']} of '{known[entry['id']]}': "
                    'give each its own'
                )
    return dict(content)


def _check_entry(entry: Any, name: str, what: str) -> None:
    """Refuse an image or a category without an id or a name."""
    if (
        not isinstance(entry, Mapping)
        or not isinstance(entry.get('id'), (int, str))
        or not isinstance(entry.get(name), str)
        or not entry[name]
    ):
        raise UserError(f'{what} has no id or no {name}: add them')


def _shapes(
    content: Mapping[str, Any], path: Path, names: Mapping[int | str, str], wishes: Wishes
) -> tuple[dict[Any, list[Shape]], int]:
    """Return the shapes of each image, and how many objects are boxes alone."""
    shapes: dict[Any, list[Shape]] = defaultdict(list)
    boxes = 0
    images = {image['id'] for image in content['images']}
    for number, entry in enumerate(content['annotations'], 1):
        named = entry.get('id', number) if isinstance(entry, Mapping) else number
        what = f"annotation {named} of '{path}'"
        with damage_named(what):
            if entry.get('image_id') not in images:
                raise UserError(f'{what} is of image {entry.get("image_id")}, which is not listed')
            if entry.get('category_id') not in names:
                raise UserError(
                    f'{what} is of category {entry.get("category_id")}, which is not listed: add '
                    'it to categories'
                )
            shape = _shape(entry, names[entry['category_id']], what, wishes.boxes)
        if shape is None:
            boxes += 1
        else:
            shapes[entry['image_id']].append(shape)
    return shapes, boxes


def _shape(entry: Mapping[str, Any], label: str, what: str, boxes: bool) -> Shape | None:
    segmentation = entry.get('segmentation')
    if isinstance(segmentation, Mapping) and 'counts' in segmentation:
        return Shape(label, rle=segmentation)
    if isinstance(segmentation, list) and segmentation:
        rings = segmentation if isinstance(segmentation[0], (list, tuple)) else [segmentation]
        return Shape(label, tuple(check_ring(ring, what) for ring in rings))
    box = entry.get('bbox')
    if boxes and box:
        x, y, w, h = map(float, box)
        degrees = float((entry.get('attributes') or {}).get('rotation') or 0)  # CVAT's
        return Shape(label, (rectangle(x, y, x + w, y + h, degrees),))
    return None


def _sample(
    image: Mapping[str, Any], path: Path, shapes: Mapping[Any, list[Shape]],
    on_disk: _PictureIndex, split: str | None,
) -> Sample | None:  # fmt: skip
    picture = on_disk.find(image['file_name'], path.parent, split)
    if picture is None:
        return None
    with damage_named(f"image '{image['file_name']}' of '{path}'"):
        size = picture_size(image.get('height'), image.get('width'))
    name = Path(image['file_name'].replace('\\', '/')).with_suffix('').as_posix().lstrip('/')
    name = '/'.join(part for part in name.split('/') if part not in ('..', '.'))
    mask = DrawnMask(shapes.get(image['id'], []), size, str(path))
    return Sample(f'{split}/{name}' if split else name, picture, mask, split=split)


def _check_unique(samples: list[Sample], path: Path) -> None:
    names = [sample.name for sample in samples]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"'{path}' lists the photo '{twice}' twice: give each one entry")
