"""Sample data on disk, laid out exactly as the real sets are.

A new set is one function that lists its pictures as jobs and hands them to `publish`, and one entry
in `WRITERS`.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from PIL import Image

from sacm_mm.errors import UserError
from sacm_mm.sample_data.publish import Job, Track, Written, no_track, publish
from sacm_mm.sample_data.scene import VOC_OBJECTS, render_scene
from sacm_mm.sample_data.street import render_street

__all__ = [
    'WRITERS',
    'Sizes',
    'Writer',
    'Written',
    'write_camvid',
    'write_classification',
    'write_voc',
]


class Sizes(NamedTuple):
    """How much to write; None leaves a number to the set's own default.

    Attributes:
        train: Number of training pictures.
        val: Number of validation pictures.
        size: Height and width, px.
    """

    train: int | None = None
    val: int | None = None
    size: tuple[int, int] | None = None

    def filled(self, train: int, val: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Put the defaults in.

        Returns:
            train, val, height, width.

        Raises:
            UserError: A number is not positive, or the pictures are too small to show anything.
        """
        chosen = self.train, self.val, *(self.size or (None, None))
        numbers = [b if a is None else a for a, b in zip(chosen, (train, val, *size))]
        for name, number, least in zip(
            ('train', 'val', 'height', 'width'), numbers, (1, 1, 16, 16)
        ):
            if number < least:
                raise UserError(f'{name} is {number}; give {least} or more')
        return numbers[0], numbers[1], numbers[2], numbers[3]


DEFAULT = Sizes()


class Writer(Protocol):
    """Writes one set below a root folder."""

    def __call__(
        self, root: Path, *, seed: int = 0, sizes: Sizes = DEFAULT, track: Track = no_track
    ) -> Written: ...


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
        jobs.append(partial(_text, f'ImageSets/Segmentation/{split}.txt', text))
    parameters = _parameters(seed, train, val, height, width)
    return publish(root / 'VOCdevkit' / 'VOC2012', 'voc', parameters, jobs, track)


def _voc_picture(
    seed: tuple[int, int], size: tuple[int, int], name: str, annotated: bool, folder: Path
) -> None:
    scene = render_scene(np.random.default_rng(seed), *size, lead=_turn(VOC_OBJECTS, seed[1]))
    _photo(folder / 'JPEGImages' / f'{name}.jpg', scene.image)
    _palette_mask(folder / 'SegmentationClassAug' / f'{name}.png', scene.labels)
    if annotated:
        _palette_mask(folder / 'SegmentationClass' / f'{name}.png', with_void_rim(scene.labels))


def with_void_rim(labels: np.ndarray) -> np.ndarray:
    """Mark the pixels on either side of every outline 255, as PASCAL VOC does.

    (H, W) uint8 -> (H, W) uint8.
    """
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    changes = cv2.dilate(labels, cross) != cv2.erode(labels, cross)
    return np.where(changes, np.uint8(255), labels)


def voc_palette() -> list[int]:
    """The 256 colours of PASCAL VOC, as 768 numbers: the bits of the index, dealt to r, g, b."""
    colours = []
    for index in range(256):
        for channel in range(3):
            bits = (index >> (3 * place + channel) & 1 for place in range(3))
            colours.append(sum(bit << (7 - place) for place, bit in enumerate(bits)))
    return colours


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
    parameters = _parameters(seed, train, val, height, width)
    return publish(root / 'camvid', 'camvid', {**parameters, 'suffix': suffix}, jobs, track)


def _camvid_picture(
    seed: tuple[int, int], size: tuple[int, int], image: str, annotation: str, folder: Path
) -> None:
    scene = render_street(np.random.default_rng(seed), *size)
    _photo(folder / image, scene.image)
    _save(folder / annotation, scene.labels)


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
            lead = _turn(VOC_OBJECTS, number)
            path = f'{split}/{lead}/{len(jobs):06d}.jpg'
            jobs.append(partial(_cls_picture, (seed, len(jobs)), (height, width), lead, path))
    parameters = _parameters(seed, train, val, height, width)
    return publish(root / 'sample_cls', 'classification', parameters, jobs, track)


def _cls_picture(
    seed: tuple[int, int], size: tuple[int, int], lead: str, path: str, folder: Path
) -> None:
    _photo(folder / path, render_scene(np.random.default_rng(seed), *size, lead, most=1).image)


WRITERS: dict[str, Writer] = {
    'voc': write_voc,
    'camvid': write_camvid,
    'classification': write_classification,
}
"""The sets that can be written, by name."""


def find_writers(names: Sequence[str]) -> list[Writer]:
    """Look writers up by name.

    Raises:
        UserError: A name is unknown.
    """
    unknown = [name for name in names if name not in WRITERS]
    if unknown:
        raise UserError(f'no sample set named {unknown[0]!r}; choose from: {", ".join(WRITERS)}')
    return [WRITERS[name] for name in names]


def _parameters(seed: int, train: int, val: int, height: int, width: int) -> dict[str, object]:
    """What the files depend on, as the marker stores it."""
    if seed < 0:
        raise UserError(f'seed is {seed}; give 0 or more')
    return {'seed': seed, 'train': train, 'val': val, 'size': [height, width]}


def _turn(names: Iterable[str], index: int) -> str:
    """Take names in turn, so that all are equally frequent."""
    ordered = list(names)
    return ordered[index % len(ordered)]


def _photo(path: Path, image: np.ndarray) -> None:
    """Write an RGB picture (H, W, 3) uint8 in the format of the file name."""
    _save(path, image[..., ::-1])


def _save(path: Path, pixels: np.ndarray) -> None:
    """Write pixels as OpenCV has them (grey or BGR); unlike cv2.imwrite, raise when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == '.jpg' else []
    _, data = cv2.imencode(path.suffix, pixels, quality)
    path.write_bytes(data.tobytes())


def _palette_mask(path: Path, labels: np.ndarray) -> None:
    """Write labels (H, W) uint8 as a PNG with the PASCAL VOC palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(labels)
    mask.putpalette(voc_palette())
    mask.save(path)


def _text(name: str, text: str, folder: Path) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
