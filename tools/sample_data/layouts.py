"""Sample data on disk, laid out exactly as the real sets are.

A new set is one function with `@sample_set` above it: it draws one picture and returns its files.
Pixels become a picture; a text is added to its file; values by key are added to a pickle's lists.
"""

import json
import pickle
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from sacm_mm.core.errors import UserError
from sample_data.canvas import FAR, FOCAL
from sample_data.publish import Track, Written, publish
from sample_data.room import render_room
from sample_data.scene import VOC_OBJECTS, render_scene
from sample_data.street import CAMVID_CLASSES, render_street

Rng = np.random.Generator
Size = tuple[int, int]  # height, width
Files = dict[str, Any]
WRITERS: dict[str, Callable[..., Written]] = {}


class Sizes(NamedTuple):
    """Numbers of pictures, and (height, width) in px; None is the set's own default."""

    train: int | None = None
    val: int | None = None
    size: Size | None = None


class Place(NamedTuple):
    """Which picture it is: its number in the set, its split, its number and share in there."""

    index: int
    split: str
    number: int
    share: float


def sample_set(folder: str, *default: Any, **splits: str) -> Callable:
    """Make a writer of a function that draws one picture, and list it in `WRITERS`.

    Args:
        folder: Of the set, below that of all sets.
        *default: Numbers of training and validation pictures, (height, width).
        **splits: The set's names for `train`, `val` and further ones.
    """

    def decorate(draw: Callable[[Rng, Size, Place], Files]) -> Callable[..., Written]:
        name = draw.__name__.removeprefix('write_')

        def write(
            root: Path, seed: int = 0, sizes: tuple = (None,) * 3, track: Track = iter
        ) -> Written:
            train, val, size = (a if b is None else b for a, b in zip(default, sizes))
            names = ('seed', 'train', 'val', 'height', 'width')
            for what, number, least in zip(names, (seed, train, val, *size), (0, 1, 1, 16, 16)):
                if number < least:
                    raise UserError(f'{what} is {number}; give {least} or more')
            counts = {'train': train, 'val': val, 'aug': max(1, train // 4), 'test': val}
            places = [(n, i, i / counts[s]) for s, n in splits.items() for i in range(counts[s])]
            jobs = [
                partial(_picture, draw, seed, tuple(size), Place(index, *place))
                for index, place in enumerate(places)
            ]
            made_of = {'set': name, 'seed': seed, 'sizes': [train, val, *size]}
            return publish(root / folder, made_of, jobs, track, _finish)

        WRITERS[name] = write
        return write

    return decorate


def _picture(draw: Callable, seed: int, size: Size, at: Place, folder: Path) -> Files:
    """Write the files of one picture; returns what is part of larger files."""
    files = draw(np.random.default_rng((seed, at.index)), size, at)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            content = content[..., ::-1] if content.ndim == 3 else content  # OpenCV's order
            content = cv2.imencode(path.suffix, content)[1].tobytes()
        if isinstance(content, bytes):
            path.write_bytes(content)
    return {name: part for name, part in files.items() if isinstance(part, str | dict)}


def _finish(folder: Path, parts: list[Files]) -> None:
    whole: Files = {}
    for name, part in (item for files in parts for item in files.items()):
        if isinstance(part, str):
            whole[name] = whole.get(name, '') + part
        else:
            for key, value in part.items():
                whole.setdefault(name, {}).setdefault(key, []).append(value)
    for name, content in whole.items():
        if isinstance(content, dict):
            content['data'] = np.array(content['data'])
        is_text = isinstance(content, str)
        (folder / name).write_bytes(content.encode() if is_text else pickle.dumps(content, 2))


def find_writers(names: list[str]) -> list[Callable[..., Written]]:
    """Look writers up by name, or raise a UserError that lists them."""
    for name in names:
        if name not in WRITERS:
            raise UserError(f'no sample set named {name!r}; choose from: {", ".join(WRITERS)}')
    return [WRITERS[name] for name in names]


def _lead(number: int) -> str:
    return list(VOC_OBJECTS)[number % len(VOC_OBJECTS)]  # in turn: all are equally frequent


def _whole(values: np.ndarray, scale: float, valid: Any = True) -> np.ndarray:
    return np.where(valid, np.round(scale * values), 0).astype(np.uint16)


@sample_set('VOCdevkit/VOC2012', 240, 60, (240, 320), train='train', val='val', aug='aug')
def write_voc(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for PASCAL VOC: JPEGs, one in four upright, palette masks with a void rim, lists.

    `aug.txt` names pictures with a mask in `SegmentationClassAug` only, as those of SBD.
    """
    scene = render_scene(rng, *(size[::-1] if at.index % 4 == 3 else size), lead=_lead(at.index))
    name, lists = f'2012_{at.index + 1:06d}', 'ImageSets/Segmentation'
    files = {
        f'JPEGImages/{name}.jpg': scene.image,
        f'SegmentationClassAug/{name}.png': _palette_png(scene.labels),
        f'{lists}/{at.split}.txt': f'{name}\n',
    }
    if at.split != 'aug':
        files[f'SegmentationClass/{name}.png'] = _palette_png(with_void_rim(scene.labels))
        files[f'{lists}/trainval.txt'] = f'{name}\n'
    return files


def _palette_png(labels: np.ndarray) -> bytes:
    mask, file = Image.fromarray(labels), BytesIO()
    mask.putpalette(voc_palette())
    mask.save(file, 'png')
    return file.getvalue()


def voc_palette() -> list[int]:
    """The 256 colours of PASCAL VOC, as 768 numbers: the bits of the index, dealt to r, g, b."""
    place = np.arange(8)
    bits = np.arange(256)[:, None, None] >> (3 * place + np.arange(3)[:, None]) & 1
    return (bits << (7 - place)).sum(2).ravel().tolist()


def with_void_rim(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels on either side of every outline 255, as PASCAL VOC does."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    changes = cv2.dilate(labels, cross) != cv2.erode(labels, cross)
    return np.where(changes, np.uint8(255), labels)


@sample_set('camvid', 120, 30, (360, 480), train='train', val='val', test='test')
def write_camvid(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for CamVid in the SegNet layout."""
    scene, name = render_street(rng, *size), f'0001TP_{at.index:06d}.png'
    return {f'{at.split}/{name}': scene.image, f'{at.split}annot/{name}': scene.labels}


ADE20K_NAMES = {
    'sky': 3, 'building': 2, 'pole': 94, 'road': 7, 'pavement': 12, 'tree': 5, 'signsymbol': 44,
    'fence': 33, 'car': 21, 'pedestrian': 13, 'bicyclist': 128, 'person': 13, 'pottedplant': 18,
    'sheep': 127,
}  # fmt: skip
CITYSCAPES_IDS = {
    'sky': 10, 'building': 2, 'pole': 5, 'road': 0, 'pavement': 1, 'tree': 8, 'signsymbol': 7,
    'fence': 4, 'car': 13, 'pedestrian': 11, 'bicyclist': 12,
}  # fmt: skip


@sample_set('ade/ADEChallengeData2016', 120, 30, (240, 320), train='training', val='validation')
def write_ade20k(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for ADE20K: streets, and objects whose mask is 0 elsewhere."""
    ids = np.zeros(256, np.uint8)
    if at.index % 2:
        scene = render_scene(rng, *size, lead=_lead(at.index // 2))
        for name, kind in VOC_OBJECTS.items():
            ids[kind.label] = ADE20K_NAMES[name]
    else:
        scene = render_street(rng, *size)
        ids[: len(CAMVID_CLASSES)] = [ADE20K_NAMES[name] for name in CAMVID_CLASSES]
    name = f'{at.split}/ADE_{"train" if at.split == "training" else "val"}_{at.number + 1:08d}'
    return {f'images/{name}.jpg': scene.image, f'annotations/{name}.png': ids[scene.labels]}


@sample_set('cityscapes', 60, 20, (256, 512), train='train', val='val')
def write_cityscapes(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for Cityscapes, with disparity of the drawn depth for the camera in the .json file."""
    scene, fx, baseline = render_street(rng, *size), FOCAL * min(size), 0.22
    disparity = baseline * fx / scene.depth
    # invalid in the sky and at the left edge, which the right camera does not see
    seen = (scene.depth < FAR) & (np.arange(size[1]) >= disparity)
    ids = np.full(256, 255, np.uint8)
    ids[: len(CAMVID_CLASSES)] = [CITYSCAPES_IDS[name] for name in CAMVID_CLASSES]
    outer = dict(baseline=baseline, pitch=0.0, roll=0.0, yaw=0.0, x=0.0, y=0.0, z=1.5)
    camera = dict(extrinsic=outer, intrinsic=dict(fx=fx, fy=fx, u0=size[1] / 2, v0=size[0] / 2))
    city = f'sample{at.split}'
    name = f'{at.split}/{city}/{city}_{at.number:06d}_000019'
    return {
        f'leftImg8bit/{name}_leftImg8bit.png': scene.image,
        f'gtFine/{name}_gtFine_labelTrainIds.png': ids[scene.labels],
        f'disparity/{name}_disparity.png': _whole(disparity + 1 / 256, 256, seen),
        f'camera/{name}_camera.json': json.dumps(camera, indent=1),
    }


@sample_set('nyu', 120, 30, (240, 320), train='train', val='test')
def write_nyu(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for NYU Depth v2: rooms, depth in millimetres and masks."""
    scene, name = render_room(rng, *size), f'{at.split}/{at.index:04d}'
    depth = _whole(scene.depth, 1000)
    pixels = {'images': scene.image, 'annotations': depth, 'labels40': scene.labels}
    return {f'{kind}/{name}.{"jp" if kind == "images" else "pn"}g': pixels[kind] for kind in pixels}


@sample_set('kitti', 60, 20, (188, 621), train='train', val='test')
def write_kitti(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for KITTI, with lists; depth is sparse, and one test picture more has none."""
    scene = render_street(rng, *size)
    drive = f'2011_09_26_drive_{1 if at.split == "train" else 2:04d}_sync'
    image = f'2011_09_26/{drive}/image_02/data/{at.number:010d}.png'
    depth = f'{drive}/proj_depth/groundtruth/image_02/{at.number:010d}.png'
    # the scanner looks at the lower two thirds, and returns of far things get lost
    hit = (rng.random(size) < 0.35) & (scene.depth < FAR)
    hit[: size[0] // 3] = False
    lines = [f'{image} {depth} {FOCAL * min(size):.4f}\n']
    files = {f'raw/{image}': scene.image, f'gt_depth/{depth}': _whole(scene.depth, 256, hit)}
    if at.split == 'test' and not at.number:
        lines.append(f'{image} None {FOCAL * min(size):.4f}\n')
    return {**files, f'kitti_eigen_{at.split}_files_with_gt.txt': ''.join(lines)}


_IMAGENET = {  # synset and class id of what a drawing is nearest to: a convertible, a ballplayer
    'car': ('n03100240', 511), 'person': ('n09835506', 981), 'pottedplant': ('n03991062', 738),
    'sheep': ('n02412080', 348),
}  # fmt: skip


@sample_set('imagenet', 320, 80, (224, 224), train='train', val='val')
def write_imagenet(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for ImageNet; `meta` has the class ids among the 1000."""
    synset, class_id = _IMAGENET[_lead(at.number)]
    names = {'train': f'{synset}_{at.number}', 'val': f'ILSVRC2012_val_{at.number + 1:08d}'}
    path = f'{synset}/{names[at.split]}.JPEG'
    image = render_scene(rng, *size, _lead(at.number), most=1).image
    return {f'{at.split}/{path}': image, f'meta/{at.split}.txt': f'{path} {class_id}\n'}


_CIFAR10 = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship',
            'truck')  # fmt: skip
_CIFAR10_DRAWN = {'car': 1, 'person': 5, 'pottedplant': 3, 'sheep': 4}  # or another thing's label


@sample_set('cifar10', 1000, 200, (64, 64), train='train', val='test')
def write_cifar10(rng: Rng, size: Size, at: Place) -> Files:
    """Draw for CIFAR-10's archive for Python, unpacked; stored at 32 x 32."""
    lead, folder = _lead(at.index), 'cifar-10-batches-py'
    scene = render_scene(rng, *size, lead, most=1)
    image = cv2.resize(scene.image, (32, 32), interpolation=cv2.INTER_AREA)
    batch = 'test_batch' if at.split == 'test' else f'data_batch_{1 + int(5 * at.share)}'
    part = {
        'labels': _CIFAR10_DRAWN[lead],
        'data': image.transpose(2, 0, 1).ravel(),  # (H, W, 3) -> (3 * H * W,)
        'filenames': f'{lead}_{at.index:06d}.png',
    }
    meta = pickle.dumps({'label_names': list(_CIFAR10), 'num_vis': 3072}, 2)
    return {f'{folder}/{batch}': part, **({} if at.index else {f'{folder}/batches.meta': meta})}
