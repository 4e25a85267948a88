"""Read a folder of photos and a folder of masks that are pictures; and VOC, which is that too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import find_files, find_pictures

from .categories import Wishes, decide_classes
from .class_names import palette_beside, read_palette_file
from .mask_files import MaskFile, scan_masks
from .pairing import Pairs, by_own_name, existing_folder, list_pictures, pair_by_name, pair_folders
from .samples import SPLITS, Sample, Source


def read_folder(photos: Path, masks: Path, wishes: Wishes, pattern: str | None = None) -> Source:
    """Read photos with masks of the same or similar names.

    Args:
        photos: Folder of the photos; folders in it named train, val or test are kept as parts.
        masks: Folder of the masks.
        wishes: What the user wants of the classes.
        pattern: How a mask is named, such as ``{id}_mask.png``; None finds out.

    Raises:
        UserError: Something is missing, cannot be read or does not fit; the message names it.
    """
    existing_folder(photos, 'photos')
    existing_folder(masks, 'masks')
    if photos.resolve() == masks.resolve():
        pairs = _pair_in_one_folder(photos, pattern)
    else:
        pairs = pair_folders(photos, masks, 'mask', pattern)
    return _source(pairs, masks, wishes, {})


def read_voc(root: Path, wishes: Wishes) -> Source:
    """Read PASCAL VOC's layout: JPEGImages, SegmentationClass and ImageSets/Segmentation.

    Raises:
        UserError: A folder is missing, or a list names a photo that is not there.
    """
    existing_folder(root, 'VOC')
    if not (root / 'SegmentationClass').is_dir():
        found = [p.parent for p in sorted(root.rglob('SegmentationClass')) if p.is_dir()]
        if len(found) != 1:
            raise UserError(
                f"'{root}' has no folder SegmentationClass: VOC's boxes are no masks; name the "
                'folder that holds JPEGImages and SegmentationClass'
            )
        root = found[0]
    photos = existing_folder(root / 'JPEGImages', 'photos')
    pictures = list_pictures(photos, 'photos')
    masks = list_pictures(root / 'SegmentationClass', 'masks')
    splits = _lists(root / 'ImageSets' / 'Segmentation', pictures)
    if splits:
        pictures = {name: path for name, path in pictures.items() if name in splits}
    else:  # most photos of VOC have boxes alone
        pictures = {name: path for name, path in pictures.items() if name in masks} or pictures
    pairs = pair_by_name(pictures, masks, 'mask')
    return _source(pairs, root / 'SegmentationClass', wishes, splits)


def _lists(folder: Path, pictures: dict[str, Path]) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split in SPLITS:
        path = folder / f'{split}.txt'
        for name in path.read_text(encoding='utf-8-sig').split('\n') if path.is_file() else ():
            name = name.strip()
            if not name:
                continue
            if name not in pictures:
                raise UserError(f"'{path}' lists '{name}', of which there is no photo: take it out")
            if splits.setdefault(name, split) != split:
                raise UserError(f"'{name}' is listed in {splits[name]} and in {split}: choose one")
    return splits if 'train' in splits.values() else {}


def _pair_in_one_folder(folder: Path, pattern: str | None) -> Pairs:
    """Pair ``a.jpg`` with ``a_mask.png`` beside it: masks are what the pattern fits."""
    if pattern is None or pattern.count('{id}') != 1:
        raise UserError(
            f"photos and masks are both in '{folder}': say how masks are named with --pattern, "
            'such as "{id}_mask.png", or name a folder of each'
        )
    head, tail = pattern.split('{id}')
    masks = [p for p in find_files(folder) if p.name.startswith(head) and p.name.endswith(tail)]
    pictures = by_own_name(folder, sorted({*find_pictures(folder)} - {*masks}), 'photos')
    if not pictures or not masks:
        raise UserError(f"nothing in '{folder}' is named as '{pattern}', or everything is")
    return pair_by_name(pictures, by_own_name(folder, masks, 'masks'), 'mask', pattern)


def _source(pairs: Pairs, masks: Path, wishes: Wishes, splits: dict[str, str]) -> Source:
    notes = list(pairs.notes)
    if not wishes.named and not wishes.earlier:
        beside = palette_beside(masks)
        if beside:
            named = read_palette_file(beside)
            wishes = replace(wishes, named=named)
            notes.append(f'class names: {beside}')
    scan = scan_masks([mask for _, _, mask in pairs.found])
    decided = decide_classes(scan, wishes)
    samples = []
    for name, picture, mask in pairs.found:
        truth = MaskFile(mask, scan.coloured, decided.numbers)
        samples.append(Sample(name, picture, truth, split=splits.get(name)))
    notes = [*scan.notes, *notes, *decided.notes]
    return Source('segmentation', samples, decided.classes, notes, pairs.warnings)
