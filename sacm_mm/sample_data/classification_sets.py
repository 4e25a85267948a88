"""Classification sets on disk: class folders, ImageNet and the CIFAR-10 archive."""

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from sacm_mm.sample_data.files import photo, text_file, turn
from sacm_mm.sample_data.publish import Job, Track, Written, no_track, publish
from sacm_mm.sample_data.scene import VOC_OBJECTS, render_scene
from sacm_mm.sample_data.sizes import DEFAULT, Sizes, parameters_of


def write_classification(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `sample_cls/{train,val}/<class>/*.jpg`, one large object to a picture.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 320 training and 80 validation pictures of 224 x 224 px, shared evenly
            among the classes.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(320, 80, (224, 224))
    jobs: list[Job] = []
    for split, count in (('train', train), ('val', val)):
        for number in range(count):
            lead = turn(VOC_OBJECTS, number)
            path = f'{split}/{lead}/{len(jobs):06d}.jpg'
            jobs.append(partial(_cls_picture, (seed, len(jobs)), (height, width), lead, path))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'sample_cls', 'classification', parameters, jobs, track)


def _cls_picture(
    seed: tuple[int, int], size: tuple[int, int], lead: str, path: str, folder: Path
) -> None:
    photo(folder / path, render_scene(np.random.default_rng(seed), *size, lead, most=1).image)


_IMAGENET = {
    'sheep': ('n02412080', 348),
    'aeroplane': ('n02690373', 404),
    'car': ('n03100240', 511),
    'pottedplant': ('n03991062', 738),
    'boat': ('n04273569', 814),
    'tvmonitor': ('n04404412', 851),
    'bottle': ('n04591713', 907),
    'person': ('n09835506', 981),
}
"""Synset and class id of what a drawing is nearest to: a ram, an airliner, ..., a ballplayer."""


def write_imagenet(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `imagenet/{train,val}/<synset>/*.JPEG` for eight of the classes.

    `meta/{train,val}.txt` name each picture with its class id among the 1000, as they do for the
    real set; without them class ids would be counted from the folders.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 320 training and 80 validation pictures of 224 x 224 px.
        track: Wraps the loop over pictures, for a progress bar.
    """
    train, val, height, width = sizes.filled(320, 80, (224, 224))
    jobs: list[Job] = []
    for split, count in (('train', train), ('val', val)):
        lines = []
        for number in range(count):
            lead = turn(_IMAGENET, number)
            synset, class_id = _IMAGENET[lead]
            stem = f'{synset}_{number}' if split == 'train' else f'ILSVRC2012_val_{number + 1:08d}'
            path = f'{synset}/{stem}.JPEG'
            lines.append(f'{path} {class_id}\n')
            picture = partial(_cls_picture, (seed, len(jobs)), (height, width), lead)
            jobs.append(partial(picture, f'{split}/{path}'))
        jobs.append(partial(text_file, f'meta/{split}.txt', ''.join(lines)))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'imagenet', 'imagenet', parameters, jobs, track)


_ARCHIVE = 'cifar-10-batches-py'
_CIFAR10 = (
    'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck',
)  # fmt: skip
_CIFAR10_DRAWN = {
    'aeroplane': 0,
    'car': 1,
    'bottle': 2,
    'pottedplant': 3,
    'sheep': 4,
    'person': 5,
    'tvmonitor': 6,
    'boat': 8,
}
"""Eight of the ten labels; those that we have no drawing for are another thing's."""


def write_cifar10(
    root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
) -> Written:
    """Write `cifar10/cifar-10-batches-py`, as the archive of the Python version unpacks.

    Args:
        root: Folder that holds the data sets.
        seed: The same seed and sizes give the same files.
        sizes: Defaults to 1000 training and 200 test pictures, drawn at 64 x 64 px; they are stored
            at 32 x 32, as in the real set.
        track: Wraps the loop over files, for a progress bar.
    """
    train, val, height, width = sizes.filled(1000, 200, (64, 64))
    numbers = np.array_split(np.arange(train), 5)
    batches = {f'data_batch_{place}': part for place, part in enumerate(numbers, 1)}
    batches['test_batch'] = np.arange(train, train + val)
    jobs: list[Job] = [
        partial(_cifar_batch, seed, (height, width), part.tolist(), name)
        for name, part in batches.items()
    ]
    jobs.append(partial(_cifar_meta, max(map(len, numbers))))
    parameters = parameters_of(seed, train, val, height, width)
    return publish(root / 'cifar10', 'cifar10', parameters, jobs, track)


def _cifar_batch(
    seed: int, size: tuple[int, int], numbers: list[int], name: str, folder: Path
) -> None:
    leads = [turn(_CIFAR10_DRAWN, number) for number in numbers]
    data = np.empty((len(numbers), 3, 32, 32), np.uint8)
    for row, number, lead in zip(data, numbers, leads):
        scene = render_scene(np.random.default_rng((seed, number)), *size, lead, most=1)
        picture = cv2.resize(scene.image, (32, 32), interpolation=cv2.INTER_AREA)
        row[:] = picture.transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
    entry = {
        'batch_label': name,
        'labels': [_CIFAR10_DRAWN[lead] for lead in leads],
        'data': data.reshape(len(numbers), 3 * 32 * 32),
        'filenames': [f'{lead}_{number:06d}.png' for number, lead in zip(numbers, leads)],
    }
    _pickle(folder / _ARCHIVE / name, entry)


def _cifar_meta(per_batch: int, folder: Path) -> None:
    meta = {'label_names': list(_CIFAR10), 'num_cases_per_batch': per_batch, 'num_vis': 3072}
    _pickle(folder / _ARCHIVE / 'batches.meta', meta)


def _pickle(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
