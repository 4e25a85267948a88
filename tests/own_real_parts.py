"""Small parts of published sets, where they are at hand, as people would have them."""

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import tifffile
from own_sources import save
from PIL import Image

from sacm_mm.datasets.segmentation import CamVidDataset

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get('SACM_DATA') or ROOT / 'data')
CLASSES = CamVidDataset.METAINFO['classes']
COLOURS = np.array([*CamVidDataset.METAINFO['palette'], *[[0, 0, 0]] * 245], np.uint8)
ROAD = CLASSES.index('road')


def is_here(name: str) -> bool:
    """Tell whether a data set is at hand."""
    return (DATA / name).is_dir()


def _frames(number: int = 10) -> list[tuple[Path, np.ndarray]]:
    """Choose CamVid's photos and masks (H, W), from all over its drives."""
    photos = sorted((DATA / 'camvid/train').iterdir())
    chosen = photos[:: len(photos) // number][:number]
    folder = DATA / 'camvid/trainannot'
    return [(path, np.asarray(Image.open(folder / f'{path.stem}.png'))) for path in chosen]


def _photos(root: Path) -> list[tuple[str, np.ndarray]]:
    (root / 'photos').mkdir()
    for path, _ in _frames():
        shutil.copy(path, root / 'photos')
    return [(path.stem, mask) for path, mask in _frames()]


def colours(root: Path) -> list[Path]:
    for name, mask in _photos(root):
        save(COLOURS[mask], root / f'masks/{name}_L.png')
    lines = [f'{name} {r} {g} {b}' for name, (r, g, b) in zip(CLASSES, COLOURS.tolist())]
    (root / 'masks/classes.txt').write_text('\n'.join([*lines, 'void 0 0 0']))
    return [root / 'photos', root / 'masks']


def binary(root: Path) -> list[Path]:
    for name, mask in _photos(root):
        save((mask == ROAD).astype(np.uint8) * 255, root / f'masks/{name}.png')
    return [root / 'photos', root / 'masks']


def one_channel_of_16_bits(root: Path) -> list[Path]:
    for path, mask in _frames():
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * 200
        (root / 'photos').mkdir(exist_ok=True)
        tifffile.imwrite(root / f'photos/{path.stem}.tif', grey)
        save((mask == ROAD).astype(np.uint8), root / f'masks/{path.stem}.png')
    return [root / 'photos', root / 'masks']


def _polygons(mask: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Draw around what is connected, (class, corners); holes are filled by what lies in them."""
    found = []
    for label in range(len(CLASSES)):
        outlines, _ = cv2.findContours(
            (mask == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        found += [(label, outline[:, 0]) for outline in outlines if len(outline) > 2]
    return found


def coco(root: Path) -> list[Path]:
    content: dict = {'images': [], 'annotations': [], 'categories': [
        {'id': i, 'name': name} for i, name in enumerate(CLASSES, 1)]}  # fmt: skip
    for number, (name, mask) in enumerate(_photos(root)):
        height, width = mask.shape
        image = dict(id=number, file_name=f'{name}.jpg', height=height, width=width)
        content['images'].append(image)
        for label, corners in _polygons(mask):
            x, y, w, h = map(int, cv2.boundingRect(corners))
            content['annotations'].append(dict(
                id=len(content['annotations']), image_id=number, category_id=label + 1,
                segmentation=[corners.ravel().tolist()], bbox=[x, y, w, h],
                area=float(cv2.contourArea(corners)), iscrowd=0))  # fmt: skip
    (root / 'instances.json').write_text(json.dumps(content))
    return [root / 'instances.json', root / 'photos']


def labelme(root: Path) -> list[Path]:
    for name, mask in _photos(root):
        shapes = [
            dict(label=CLASSES[label], points=corners.tolist(), shape_type='polygon')
            for label, corners in _polygons(mask)
        ]
        content = dict(version='5.4.1', shapes=shapes, imagePath=f'{name}.jpg', imageData=None,
                       imageHeight=mask.shape[0], imageWidth=mask.shape[1])  # fmt: skip
        (root / f'photos/{name}.json').write_text(json.dumps(content))
    return [root / 'photos']


def classes(root: Path) -> list[Path]:
    for folder in sorted((DATA / 'cifar10/train').iterdir()):
        (root / 'pictures' / folder.name).mkdir(parents=True)
        for path in sorted(folder.iterdir())[:4]:
            shutil.copy(path, root / 'pictures' / folder.name)
    return [root / 'pictures']


def depth(root: Path) -> list[Path]:
    for folder in ('photos', 'depths'):
        (root / folder).mkdir()
    for path in sorted((DATA / 'nyu/images/train').iterdir())[:10]:
        shutil.copy(path, root / f'photos/rgb_{path.stem}.jpg')
        frame = DATA / f'nyu/annotations/train/{path.stem}.png'
        shutil.copy(frame, root / f'depths/depth_{path.stem}.png')
    return [root / 'photos', root / 'depths']
