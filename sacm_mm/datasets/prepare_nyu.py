"""The labelled part of NYU Depth v2: from the official .mat files to images, depth maps and masks.

``nyu_depth_v2_labeled.mat`` is HDF5, in which MATLAB's axes are reversed: ``images``
(N, 3, 640, 480), ``depths`` (N, 640, 480), metres, and ``labels`` (N, 640, 480), where 0 is
unlabelled and the rest counts ``names`` from 1. ``splits.mat`` and ``classMapping40.mat`` are of
the older format; their indices count from 1.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder
from sacm_mm.core.labels import IGNORE_INDEX

OTHER_PROP = 40  # the last of the 40 classes; it is ignored, which leaves 39
# passes a sequence through and may report the progress, as `rich.progress.track` does
Track = Callable[[Sequence[int]], Iterable[int]]


def prepare_nyu(
    mat: Path,
    splits: Path,
    classes40: Path | None,
    out: Path,
    track: Track = iter,
) -> Path:
    """Write ``out/nyu/{images,annotations,labels40}/{train,test}``, whole or not at all.

    Images are JPEG of quality 95, named by their number in the .mat, from 0; depth is rounded to
    millimetres.

    Args:
        mat: nyu_depth_v2_labeled.mat.
        splits: splits.mat.
        classes40: classMapping40.mat; without it there is no ``labels40``.
        out: Folder that holds the data sets.
        track: Wraps the loop over images, for a progress bar.

    Returns:
        The folder.

    Raises:
        UserError: A file is not what it should be, or the folder exists or cannot be written.
    """
    target = out / 'nyu'
    if target.exists():
        raise UserError(f"'{target}' exists: move it away or choose another folder")
    split_of = _read_splits(splits)
    label_ids = None if classes40 is None else _read_classes40(classes40)
    with _open(mat) as file:
        _check(mat, file, max(split_of) + 1, masks=label_ids is not None)
        with publish_folder(target) as folder:
            for index in track(sorted(split_of)):
                _write(file, index, label_ids, folder, f'{split_of[index]}/{index:04d}')
    return target


def _open(mat: Path) -> h5py.File:
    if not mat.is_file():
        raise UserError(f"'{mat}' does not exist: download nyu_depth_v2_labeled.mat")
    try:
        return h5py.File(mat)
    except OSError as error:
        raise UserError(
            f"'{mat}' is damaged or not HDF5: take nyu_depth_v2_labeled.mat, and download it anew"
        ) from error


def _check(mat: Path, file: h5py.File, number: int, masks: bool) -> None:
    """Refuse another file before anything is written."""
    kinds = {'images': ((3,), 'u'), 'depths': ((), 'f'), 'labels': ((), 'iu')}
    for key, (middle, types) in kinds.items():
        if key == 'labels' and not masks:
            continue
        if key not in file:
            raise UserError(f"'{mat}' has no '{key}': take nyu_depth_v2_labeled.mat")
        if isinstance(file.get(key, getlink=True), h5py.ExternalLink) or (
            file[key].external or file[key].is_virtual
        ):
            raise UserError(f"'{mat}' is refused: its '{key}' lie in another file")
        shape = file[key].shape
        if shape[1:-2] != middle or len(shape) != len(middle) + 3:
            raise UserError(
                f"'{key}' of '{mat}' has the shape {shape}, not (N, ..., width, height)"
            )
        if shape[0] < number:
            raise UserError(
                f"'{mat}' has {shape[0]} {key}, but the split asks for number {number}: take the "
                'splits.mat that belongs to it'
            )
        if shape[-2:] != file['images'].shape[-2:]:
            raise UserError(
                f"'{key}' of '{mat}' are {shape[-2]}x{shape[-1]}, its images "
                f'{"x".join(map(str, file["images"].shape[-2:]))}: it is not '
                'nyu_depth_v2_labeled.mat'
            )
        if file[key].dtype.kind not in types or (key == 'images' and file[key].dtype.itemsize > 1):
            raise UserError(
                f"'{key}' of '{mat}' are {file[key].dtype}: it is not nyu_depth_v2_labeled.mat"
            )


def _read_mat(path: Path, key: str) -> np.ndarray:
    """Read whole numbers of a .mat file of the older format."""
    if not path.is_file():
        raise UserError(f"'{path}' does not exist")
    try:
        return scipy.io.loadmat(path)[key].astype(np.int64).ravel()
    except KeyError as error:
        raise UserError(f"'{path}' has no '{key}': it is another file") from error
    except Exception as error:  # the reader fails in many ways
        raise UserError(f"'{path}' is damaged or not a .mat file: download it anew") from error


def _read_splits(path: Path) -> dict[int, str]:
    """Map the number of each image, from 0, to its split."""
    found: dict[int, str] = {}
    for split, key in (('train', 'trainNdxs'), ('test', 'testNdxs')):
        for number in map(int, _read_mat(path, key)):
            if number - 1 in found:
                raise UserError(
                    f"'{path}' has image {number} in {found[number - 1]} and in {split}: each "
                    'belongs to one split, once'
                )
            found[number - 1] = split
    if not found or min(found) < 0:
        raise UserError(f"'{path}' holds no numbers from 1: it is not splits.mat")
    return found


def _read_classes40(path: Path) -> np.ndarray:
    """Make a table from the labels of the .mat to 0..38, and 255 for what is ignored."""
    mapping = _read_mat(path, 'mapClass')
    if mapping.min() < 1 or mapping.max() > OTHER_PROP:
        raise UserError(f"'mapClass' of '{path}' must hold the classes 1 to 40")
    table = np.full(len(mapping) + 1, IGNORE_INDEX, np.uint8)
    table[1:] = np.where(mapping == OTHER_PROP, IGNORE_INDEX, mapping - 1)
    return table


def _write(
    file: h5py.File, index: int, label_ids: np.ndarray | None, folder: Path, name: str
) -> None:
    """Write one image with its depth map and mask; MATLAB's (W, H) becomes (H, W)."""
    depth = np.nan_to_num(file['depths'][index].T)
    if depth.min() < 0 or not 1e-3 <= depth.max() < 65.5:
        raise UserError(
            f"depths of image {index} in '{file.filename}' reach from {depth.min():g} to "
            f'{depth.max():g} and are not metres: it is damaged'
        )
    # (3, W, H) -> (H, W, 3), in OpenCV's order of the colours
    image = file['images'][index].transpose(2, 1, 0)[..., ::-1]
    _save(image, folder / 'images' / f'{name}.jpg', [cv2.IMWRITE_JPEG_QUALITY, 95])
    millimetres = np.round(1000 * depth).astype(np.uint16)
    _save(millimetres, folder / 'annotations' / f'{name}.png')
    if label_ids is not None:
        labels = file['labels'][index].T
        if labels.min() < 0:
            raise UserError(
                f"image {index} of '{file.filename}' has the label {labels.min()}: labels count "
                'from 0, it is damaged'
            )
        if labels.max() >= len(label_ids):
            raise UserError(
                f"image {index} of '{file.filename}' has the label {labels.max()}, but the class "
                f'mapping ends at {len(label_ids) - 1}: take the classMapping40.mat that belongs '
                'to it'
            )
        _save(label_ids[labels], folder / 'labels40' / f'{name}.png')


def _save(pixels: np.ndarray, path: Path, options: Sequence[int] = ()) -> None:
    """Write pixels into the folder that appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels, options)[1].tobytes())
