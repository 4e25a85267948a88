"""Segmentation sets on disk: PASCAL VOC, CamVid and ADE20K."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.sample_data.files import palette_mask, photo, save, text_file, turn
from sacm_mm.sample_data.publish import Job, Track, Written, no_track, publish
from sacm_mm.sample_data.scene import VOC_OBJECTS, render_scene
from sacm_mm.sample_data.sizes import DEFAULT, Sizes, parameters_of
from sacm_mm.sample_data.street import CAMVID_CLASSES, render_street


def write_voc(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `VOCdevkit/VOC2012`: JPEG pictures, palette masks with a void rim, name lists.

    One picture in four is upright. `aug.txt` names a quarter as many further pictures, which have
    a mask in `SegmentationClassAug` only, as the pictures of the SBD set have.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 240 training and 60 validation pictures of 240 x 320 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(240, 60, (240, 320))
    aug = max(1, train // 4)
    names = [f'2012_{index:06d}' for index in range(1, train + val + aug + 1)]
    upright = [index % 4 == 3 for index in range(len(names))]
    jobs: list[Job] = []
    for index, name in enumerate(names):
        size = (width, height) if upright[index] else (height, width)
        jobs.append(partial(_voc_picture, (seed, index), size, name, index < train + val))
    lists = {
        'train': names[:train],
        'val': names[train : train + val],
        'trainval': names[: train + val],
        'aug': names[train + val :],
    }
    for split, listed in lists.items():
        text = ''.join(f'{name}\n' for name in listed)
        jobs.append(partial(text_file, f'ImageSets/Segmentation/{split}.txt', text))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'VOCdevkit' / 'VOC2012', 'voc', parameters, jobs, track)


def _voc_picture(
    seed: tuple[int, int], size: tuple[int, int], name: str, annotated: bool, folder: Path
) -> None:
    scene = render_scene(np.random.default_rng(seed), *size, lead=turn(VOC_OBJECTS, seed[1]))
    photo(folder / 'JPEGImages' / f'{name}.jpg', scene.image)
    palette_mask(folder / 'SegmentationClassAug' / f'{name}.png', scene.labels)
    if annotated:
        palette_mask(folder / 'SegmentationClass' / f'{name}.png', with_void_rim(scene.labels))


def with_void_rim(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels on either side of every outline 255, as PASCAL VOC does.

    (H, W) uint8 -> (H, W) uint8.
    """
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    changes = cv2.dilate(labels, cross) != cv2.erode(labels, cross)
    return np.where(changes, np.uint8(255), labels)


def write_camvid(
    root: Path,
    *,
    seed: int = 0,
    sizes: Sizes = DEFAULT,
    track: Track = no_track,
    suffix: str = '.png',
) -> Written:
    """Write `camvid` in the SegNet layout: {train,val,test} and {train,val,test}annot.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 120 training and 30 validation pictures of 360 x 480 px; there are as
            many test as validation pictures.
        track: Wraps the loop over pictures, for a progress bar.
        suffix: File type of the pictures, `.png` or `.jpg`.
    """
    if suffix not in ('.png', '.jpg'):
        raise UserError(f'suffix is {suffix!r}; give .png or .jpg')
    train, val, height, width = sizes.filled(120, 30, (360, 480))
    jobs: list[Job] = []
    for split, count in (('train', train), ('val', val), ('test', val)):
        for _ in range(count):
            name = f'0001TP_{len(jobs):06d}'
            jobs.append(
                partial(
                    _camvid_picture,
                    (seed, len(jobs)),
                    (height, width),
                    f'{split}/{name}{suffix}',
                    f'{split}annot/{name}.png',
                )
            )
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'camvid', 'camvid', {**parameters, 'suffix': suffix}, jobs, track)


def _camvid_picture(
    seed: tuple[int, int], size: tuple[int, int], image: str, annotation: str, folder: Path
) -> None:
    scene = render_street(np.random.default_rng(seed), *size)
    photo(folder / image, scene.image)
    save(folder / annotation, scene.labels)


ADE20K_NAMES = {
    'sky': 3, 'building': 2, 'pole': 94, 'road': 7, 'pavement': 12, 'tree': 5, 'signsymbol': 44,
    'fence': 33, 'car': 21, 'pedestrian': 13, 'bicyclist': 128,
    'aeroplane': 91, 'boat': 77, 'bottle': 99, 'person': 13, 'pottedplant': 18, 'sheep': 127,
    'tvmonitor': 90,
}  # fmt: skip
"""What our drawings are in ADE20K's masks, where 0 is "other" and classes count from 1."""


def write_ade20k(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `ade/ADEChallengeData2016/{images,annotations}/{training,validation}`.

    Every second picture is a street, whose mask is dense; the others show objects, the rest is 0.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 120 training and 30 validation pictures of 240 x 320 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(120, 30, (240, 320))
    jobs: list[Job] = []
    for split, short, count in (('training', 'train', train), ('validation', 'val', val)):
        for number in range(1, count + 1):
            name = f'{split}/ADE_{short}_{number:08d}'
            jobs.append(partial(_ade20k_picture, (seed, len(jobs)), (height, width), name))
    parameters = parameters_of(seed, train, val, height, width)
    target = root / 'ade' / 'ADEChallengeData2016'
    return publish(target, 'ade20k', parameters, jobs, track)


def _ade20k_picture(seed: tuple[int, int], size: tuple[int, int], name: str, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    ids = np.zeros(256, np.uint8)
    if seed[1] % 2:
        scene = render_scene(rng, *size, lead=turn(VOC_OBJECTS, seed[1] // 2))
        for kind, drawn in VOC_OBJECTS.items():
            ids[drawn.label] = ADE20K_NAMES[kind]
    else:
        scene = render_street(rng, *size)
        ids[: len(CAMVID_CLASSES)] = [ADE20K_NAMES[kind] for kind in CAMVID_CLASSES]
    photo(folder / 'images' / f'{name}.jpg', scene.image)
    save(folder / 'annotations' / f'{name}.png', ids[scene.labels])
