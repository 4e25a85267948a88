"""Depth sets on disk: NYU Depth v2, Cityscapes (with its masks) and KITTI."""

import json
from functools import partial
from pathlib import Path

import numpy as np

from sacm_mm.sample_data.backdrops import FAR, FOCAL
from sacm_mm.sample_data.files import photo, save, text_file
from sacm_mm.sample_data.publish import Job, Track, Written, no_track, publish
from sacm_mm.sample_data.room import render_room
from sacm_mm.sample_data.sizes import DEFAULT, Sizes, parameters_of
from sacm_mm.sample_data.street import CAMVID_CLASSES, render_street


def write_nyu(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `nyu/{images,annotations,labels40}/{train,test}`: rooms, depth in millimetres, masks.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 120 training and 30 test pictures of 240 x 320 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(120, 30, (240, 320))
    jobs: list[Job] = []
    for split, count in (('train', train), ('test', val)):
        for _ in range(count):
            name = f'{split}/{len(jobs):04d}'
            jobs.append(partial(_nyu_picture, (seed, len(jobs)), (height, width), name))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'nyu', 'nyu', parameters, jobs, track)


def _nyu_picture(seed: tuple[int, int], size: tuple[int, int], name: str, folder: Path) -> None:
    scene = render_room(np.random.default_rng(seed), *size)
    photo(folder / 'images' / f'{name}.jpg', scene.image)
    save(folder / 'annotations' / f'{name}.png', np.round(1000 * scene.depth).astype(np.uint16))
    save(folder / 'labels40' / f'{name}.png', scene.labels)


CITYSCAPES_IDS = {
    'sky': 10, 'building': 2, 'pole': 5, 'road': 0, 'pavement': 1, 'tree': 8, 'signsymbol': 7,
    'fence': 4, 'car': 13, 'pedestrian': 11, 'bicyclist': 12,
}  # fmt: skip
"""Training ids of what a street shows."""

_BASELINE = 0.22  # metres between the two cameras


def write_cityscapes(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `cityscapes/{leftImg8bit,gtFine,disparity,camera}/{train,val}/<city>`.

    Disparity is that of the drawn depth for the camera in the .json file; it is 0, invalid, in the
    sky and at the left edge, which the right camera does not see.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 60 training and 20 validation pictures of 256 x 512 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(60, 20, (256, 512))
    jobs: list[Job] = []
    for split, city, count in (('train', 'sampletown', train), ('val', 'samplecity', val)):
        for number in range(count):
            name = f'{split}/{city}/{city}_{number:06d}_000019'
            jobs.append(partial(_cityscapes_picture, (seed, len(jobs)), (height, width), name))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'cityscapes', 'cityscapes', parameters, jobs, track)


def _cityscapes_picture(
    seed: tuple[int, int], size: tuple[int, int], name: str, folder: Path
) -> None:
    height, width = size
    scene = render_street(np.random.default_rng(seed), height, width)
    ids = np.full(256, 255, np.uint8)
    ids[: len(CAMVID_CLASSES)] = [CITYSCAPES_IDS[kind] for kind in CAMVID_CLASSES]
    fx = FOCAL * min(size)
    disparity = _BASELINE * fx / scene.depth
    seen = (scene.depth < FAR) & (np.arange(width) >= disparity)
    stored = np.where(seen, np.round(256 * disparity + 1), 0).astype(np.uint16)
    camera = {
        'extrinsic': {'baseline': _BASELINE, 'pitch': 0.0, 'roll': 0.0, 'yaw': 0.0,
                      'x': 0.0, 'y': 0.0, 'z': 1.5},
        'intrinsic': {'fx': fx, 'fy': fx, 'u0': width / 2, 'v0': height / 2},
    }  # fmt: skip
    photo(folder / 'leftImg8bit' / f'{name}_leftImg8bit.png', scene.image)
    save(folder / 'gtFine' / f'{name}_gtFine_labelTrainIds.png', ids[scene.labels])
    save(folder / 'disparity' / f'{name}_disparity.png', stored)
    text_file(f'camera/{name}_camera.json', json.dumps(camera, indent=1) + '\n', folder)


def write_kitti(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `kitti/{raw,gt_depth}` and the lists `kitti_eigen_{train,test}_files_with_gt.txt`.

    Depth is sparse, as a laser scanner measures it, and the last test picture has none.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 60 training and 20 test pictures of 188 x 621 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(60, 20, (188, 621))
    jobs: list[Job] = []
    for split, count, extra in (('train', train, 0), ('test', val, 1)):
        drive = f'2011_09_26_drive_{1 if split == "train" else 2:04d}_sync'
        lines = []
        for number in range(count + extra):
            image = f'2011_09_26/{drive}/image_02/data/{number:010d}.png'
            depth = f'{drive}/proj_depth/groundtruth/image_02/{number:010d}.png'
            depth = depth if number < count else 'None'
            lines.append(f'{image} {depth} {FOCAL * min(height, width):.4f}\n')
            jobs.append(partial(_kitti_picture, (seed, len(jobs)), (height, width), image, depth))
        jobs.append(partial(text_file, f'kitti_eigen_{split}_files_with_gt.txt', ''.join(lines)))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'kitti', 'kitti', parameters, jobs, track)


def _kitti_picture(
    seed: tuple[int, int], size: tuple[int, int], image: str, depth: str, folder: Path
) -> None:
    rng = np.random.default_rng(seed)
    scene = render_street(rng, *size)
    photo(folder / 'raw' / image, scene.image)
    if depth != 'None':
        # The scanner looks at the lower two thirds, and returns of far things get lost.
        hit = rng.random(size) < 0.35
        hit[: size[0] // 3] = False
        hit &= scene.depth < FAR
        stored = np.where(hit, np.round(256 * scene.depth), 0).astype(np.uint16)
        save(folder / 'gt_depth' / depth, stored)
