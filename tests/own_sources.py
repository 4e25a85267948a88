"""Writes what people have: the same tiny scenes in every kind of source."""

import base64
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
import tifffile
import yaml
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, init_default_scope
from PIL import Image

NAMES = ('background', 'car', 'tree')
COLOURS = ((0, 0, 0), (200, 30, 30), (20, 160, 40))
SIZE = (32, 40)  # height, width
# what nobody expects of a value
WRONG = [None, -1, 0, 1.5, 1e12, float('nan'), float('inf'), '', 'x', [], [[]], {}, True]


def scene(number: int) -> SimpleNamespace:
    """Make a photo (H, W, 3), RGB, its mask of classes, its objects as boxes, and its depth."""
    generator = np.random.default_rng(number)
    photo = generator.integers(0, 60, (*SIZE, 3), dtype=np.uint8)
    mask = np.zeros(SIZE, np.uint8)
    boxes = []
    for label, (w, h) in ((1, (16, 12)), (2, (8, 6))):  # the small one is above the large one
        x, y = int(generator.integers(1, SIZE[1] - w)), int(generator.integers(1, SIZE[0] - h))
        photo[y : y + h, x : x + w] += np.array(COLOURS[label], np.uint8)
        mask[y : y + h, x : x + w] = label
        boxes.append((label, x, y, w, h))
    depth = np.linspace(1, 4, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE) + number / 10
    depth[:2] = 0
    return SimpleNamespace(photo=photo, mask=mask, boxes=boxes, depth=depth)


def corners(box: tuple) -> list[tuple[float, float]]:
    _, x, y, w, h = box
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def save(pixels: np.ndarray, path: Path) -> Path:
    """Save a picture (H, W), (H, W, 3) RGB or more channels (TIFF)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in ('.tif', '.tiff'):
        several = pixels.ndim == 3 and pixels.shape[2] not in (3, 4)
        kind = 'minisblack' if several or pixels.ndim == 2 else 'rgb'
        tifffile.imwrite(path, np.moveaxis(pixels, 2, 0) if several else pixels, photometric=kind)
    else:
        Image.fromarray(pixels).save(path, **({'quality': 95} if 'jp' in path.suffix else {}))
    return path


def photos(folder: Path, number: int = 10) -> list[SimpleNamespace]:
    """Write photos whose names have spaces, umlauts and suffixes in any case."""
    scenes = [scene(i) for i in range(number)]
    for i, made in enumerate(scenes):
        made.name = f'Straße {i}' if i % 2 else f'sub dir/b_{i}'
        made.suffix = ('.jpg', '.PNG', '.JPEG')[i % 3]
        made.path = save(made.photo, folder / f'{made.name}{made.suffix}')
    return scenes


def folder_colours(root: Path, number: int = 10) -> list[Path]:
    for made in photos(root / 'photos', number):
        save(np.array(COLOURS, np.uint8)[made.mask], root / f'masks/{made.name}_mask.png')
    return [root / 'photos', root / 'masks']


def folder_numbers(root: Path, number: int = 10) -> list[Path]:
    for made in photos(root / 'photos', number):
        save(made.mask, root / f'masks/{made.name}.png')
    return [root / 'photos', root / 'masks']


def folder_binary(root: Path, number: int = 10) -> list[Path]:
    for made in photos(root / 'photos', number):
        save((made.mask > 0).astype(np.uint8) * 255, root / f'masks/{made.name}.png')
    return [root / 'photos', root / 'masks']


def folder_tiff(root: Path, channels: int, dtype: str, number: int = 10) -> list[Path]:
    """Write TIFFs of any number of channels and bits."""
    factor = {'uint8': 1, 'uint16': 200, 'float32': 0.01}[dtype]
    for i in range(number):
        made = scene(i)
        grey = made.photo.mean(2)[..., None] * factor
        scales = 1 - np.arange(channels)[::-1] / (2 * channels)
        pixels = (grey * scales).astype(dtype)
        save(pixels[..., 0] if channels == 1 else pixels, root / f'photos/{i:02}.tif')
        save(made.mask, root / f'masks/{i:02}.png')
    return [root / 'photos', root / 'masks']


def coco(root: Path, number: int = 10) -> list[Path]:
    """Write polygons for the large objects and run lengths for the small ones."""
    content: dict = {'images': [], 'annotations': [], 'categories': [
        {'id': 7, 'name': 'tree'}, {'id': 3, 'name': 'car'}]}  # fmt: skip
    for i, made in enumerate(photos(root / 'photos', number)):
        name = made.path.relative_to(root / 'photos').as_posix()
        content['images'].append(dict(id=i, file_name=name, height=SIZE[0], width=SIZE[1]))
        for label, x, y, w, h in made.boxes:
            if label == 1:
                truth: object = [np.array(corners((label, x, y, w, h))).ravel().tolist()]
            else:
                flat = np.zeros(SIZE, np.uint8)
                flat[y : y + h, x : x + w] = 1
                flat = flat.ravel(order='F')
                ends = np.flatnonzero(np.diff(flat)) + 1
                runs = np.diff([0, *ends.tolist(), flat.size]).tolist()
                truth = dict(size=list(SIZE), counts=runs)
            content['annotations'].append(dict(
                id=len(content['annotations']), image_id=i, category_id=3 if label == 1 else 7,
                segmentation=truth, bbox=[x, y, w, h], area=w * h, iscrowd=0))  # fmt: skip
    (root / 'instances.json').write_text(json.dumps(content))
    return [root / 'instances.json', root / 'photos']


def labelme(root: Path, number: int = 10) -> list[Path]:
    """Write a polygon for the large object, and a rectangle or a mask for the small one."""
    for i, made in enumerate(photos(root / 'set', number)):
        shapes = []
        for box in made.boxes:
            label, x, y, w, h = box
            shape: dict = dict(label=NAMES[label], points=corners(box), shape_type='polygon')
            if label == 2 and i % 2:
                shape.update(points=[(x, y), (x + w, y + h)], shape_type='rectangle')
            elif label == 2:
                stream = io.BytesIO()
                Image.fromarray(np.full((h, w), True)).save(stream, 'PNG')
                text = base64.b64encode(stream.getvalue()).decode()
                shape.update(points=[(x, y), (x + w, y + h)], shape_type='mask', mask=text)
            shapes.append(shape)
        content = dict(version='5', shapes=shapes, imagePath=made.path.name, imageData=None,
                       imageHeight=SIZE[0], imageWidth=SIZE[1])  # fmt: skip
        made.path.with_suffix('.json').write_text(json.dumps(content))
    return [root / 'set']


def cvat(root: Path, number: int = 10) -> list[Path]:
    """Write polygons for the large objects and brush masks for the small ones."""
    lines = ['<annotations><version>1.1</version><meta><task><labels>']
    for name, colour in zip(NAMES[1:], COLOURS[1:]):
        lines.append(f'<label><name>{name}</name><color>#{bytes(colour).hex()}</color></label>')
    lines.append('</labels></task></meta>')
    for i, made in enumerate(photos(root / 'export/images', number)):
        name = made.path.relative_to(root / 'export/images').as_posix()
        lines.append(
            f'<image id="{i}" name={quoteattr(name)} width="{SIZE[1]}" height="{SIZE[0]}">'
        )
        for box in made.boxes:
            label, x, y, w, h = box
            if label == 1:
                points = ';'.join(f'{a},{b}' for a, b in corners(box))
                lines.append(f'<polygon label="car" points="{points}" z_order="0"/>')
            else:
                lines.append(f'<mask label="tree" rle="0, {w * h}" left="{x}" top="{y}" '
                             f'width="{w}" height="{h}" z_order="0"/>')  # fmt: skip
        lines.append('</image>')
    lines.append('</annotations>')
    (root / 'export/annotations.xml').write_text('\n'.join(lines))
    return [root / 'export']


def yolo(root: Path, number: int = 10) -> list[Path]:
    """Write polygons in ready parts."""
    for i in range(number):
        made, part = scene(i), 'val' if i % 3 == 0 else 'train'
        save(made.photo, root / f'set/images/{part}/{i}.jpg')
        lines = []
        for box in made.boxes:
            values = (np.array(corners(box)) / (SIZE[1], SIZE[0])).ravel()
            lines.append(f'{box[0] - 1} ' + ' '.join(f'{v:.6f}' for v in values))
        path = root / f'set/labels/{part}/{i}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(lines))
    names = dict(enumerate(NAMES[1:]))
    (root / 'set/data.yaml').write_text(yaml.safe_dump({'path': '.', 'names': names}))
    return [root / 'set']


def voc(root: Path, number: int = 10) -> list[Path]:
    """Write palette masks with a white border of 255, and lists."""
    lists: dict = {'train': [], 'val': []}
    for i in range(number):
        made = scene(i)
        save(made.photo, root / f'set/JPEGImages/{i:04}.jpg')
        mask = made.mask.copy()
        mask[0] = 255
        image = Image.fromarray(mask)
        palette = np.zeros((256, 3), np.uint8)
        palette[:3], palette[255] = COLOURS, (224, 224, 192)
        image.putpalette(palette.tobytes())
        path = root / f'set/SegmentationClass/{i:04}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        lists['val' if i % 3 == 0 else 'train'].append(f'{i:04}')
    folder = root / 'set/ImageSets/Segmentation'
    folder.mkdir(parents=True)
    for part, names in lists.items():
        (folder / f'{part}.txt').write_text('\n'.join(names) + '\n')
    (root / 'set/labelmap.txt').write_text('# label:color_rgb:parts:actions\n' + ''.join(
        f'{name}:{r},{g},{b}::\n' for name, (r, g, b) in zip(NAMES, COLOURS)))  # fmt: skip
    return [root / 'set']


def classes(root: Path, number: int = 12) -> list[Path]:
    """Write class folders, one of which is rare."""
    for i in range(number):
        label = 2 if i % 6 == 0 else 1
        pixels = scene(i).photo // 2 + np.array(COLOURS[label], np.uint8) // 2
        save(pixels, root / f'set/{NAMES[label]}/{i}{(".jpg", ".PNG")[i % 2]}')
    return [root / 'set']


def depth(root: Path, unit: str = 'mm', number: int = 10) -> list[Path]:
    """Write frames with names of their own, in the unit."""
    for i in range(number):
        made = scene(i)
        save(made.photo, root / f'photos/rgb_{i:03}.jpg')
        if unit == 'mm':
            path = root / f'depths/depth_{i:03}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.rint(made.depth * 1000).astype(np.uint16))
        else:
            save(made.depth, root / f'depths/depth_{i:03}.tif')
    return [root / 'photos', root / 'depths']


def build(config, **changes):
    """Build a ready config's model, tiny, and its data sets."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    head = cfg.model.get('decode_head') or cfg.model.head
    cfg.model.backbone.arch, head.in_channels = 'd16-l2-k3-p4', 16
    if 'upscale_factor' in head:
        head.upscale_factor = 4
    cfg.merge_from_dict(changes)
    model = MODELS.build(cfg.model)
    train, val = (
        DATASETS.build({**cfg[f'{part}_dataloader'].dataset, 'serialize_data': False})
        for part in ('train', 'val')
    )
    return cfg, model, train, val


def places(value, path=()):
    """Yield the path of keys to each value of a JSON content, but of the first few of a list."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value[:4]))
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*path, key))


def spoilt(content: Any, path: tuple, wrong: object) -> Any:
    """Copy a JSON content with another value at a path."""
    again = json.loads(json.dumps(content))
    place = again
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    return again
