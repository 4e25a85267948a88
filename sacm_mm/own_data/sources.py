"""The kinds of sources by name, and what each needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sacm_mm.core.errors import UserError
from sacm_mm.datasets.picture_files import UNREAD_SUFFIXES, find_files

from .categories import Wishes
from .class_names import read_names
from .preparing import Job, Prepared, prepare
from .read_classes import read_classes
from .read_coco import read_coco
from .read_cvat import read_cvat
from .read_depth import parse_unit, read_depth
from .read_folder import read_folder, read_voc
from .read_labelme import read_labelme
from .read_yolo import read_yolo
from .samples import Category, Source, count, listed
from .splitting import SplitWishes, parse_shares

# how many paths each kind takes, and what they are
KINDS: dict[str, tuple[int, int, str]] = {
    'folder': (2, 2, 'PHOTOS MASKS: masks that are pictures'),
    'coco': (1, 2, 'instances.json PHOTOS, or a folder with both'),
    'labelme': (1, 2, 'FOLDER of .json files beside the photos, and PHOTOS if apart'),
    'cvat': (1, 2, 'FOLDER of an unpacked "CVAT for images 1.1" export, and PHOTOS if apart'),
    'yolo': (1, 2, 'FOLDER with images, labels (polygons) and data.yaml'),
    'voc': (1, 1, 'FOLDER with JPEGImages and SegmentationClass'),
    'classes': (1, 1, 'FOLDER with one folder of pictures a class'),
    'depth': (2, 2, 'PHOTOS DEPTHS, with --unit'),
}
_SHAPES = {'coco': read_coco, 'labelme': read_labelme, 'cvat': read_cvat, 'yolo': read_yolo}
# what each option is for; those that are not here are for all
_FOR = {
    'classes': ('folder', 'voc', 'classes', *_SHAPES),
    'ignore': ('folder', 'voc', *_SHAPES),
    'pattern': ('folder', 'depth'),
    'tolerance': ('folder', 'voc'),
    'unlabelled': _SHAPES,
    'boxes': _SHAPES,
    'unit': ('depth',),
    'focal-baseline': ('depth',),
}


def prepare_source(
    kind: str,
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    classes: str | None = None,
    ignore: Sequence[str] = (),
    split: str = '80,10,10',
    seed: int = 0,
    group: str | None = None,
    pattern: str | None = None,
    tolerance: int = 0,
    unlabelled: str = 'background',
    boxes: bool = False,
    unit: str | None = None,
    focal_baseline: float | None = None,
    link: bool = False,
    command: str = '',
) -> Prepared:
    """Make a data set of what people have.

    Args:
        kind: One of ``KINDS``.
        paths: What it needs, see ``KINDS``.
        out: Folder to write; one that was written before is brought up to date.
        classes: Names with commas between, or a file of names and colours.
        ignore: Names, colours or values of masks that are not to be learned.
        split: Shares of train, val and test.
        seed: Of the split.
        group: Pattern whose first group names the recording of a picture.
        pattern: How masks or depth frames are named, such as ``{id}_mask.png``.
        tolerance: Largest difference of a channel at which a colour is still a class's.
        unlabelled: What no polygon covers: ``'background'`` or ``'ignore'``.
        boxes: Take boxes for areas.
        unit: Of depth frames: mm, cm, m, disparity, or the metres of a step.
        focal_baseline: Turns disparity into metres.
        link: Link to the pictures in place of copying them.
        command: How the user called it.

    Raises:
        UserError: Something is missing or wrong; the message names it and the fix.
    """
    places = _checked(kind, paths)
    _refuse_without_effect(
        kind,
        {
            'classes': classes is not None, 'ignore': ignore, 'pattern': pattern is not None,
            'tolerance': tolerance, 'unlabelled': unlabelled != 'background', 'boxes': boxes,
            'unit': unit is not None, 'focal-baseline': focal_baseline is not None,
        },
    )  # fmt: skip
    named = read_names(classes) if classes is not None else []
    wanted = SplitWishes(parse_shares(split), seed, group)
    depth_unit = parse_unit(unit, focal_baseline) if unit else None

    def read(earlier: list[Category]) -> Source:
        kept = [] if named else earlier
        wishes = Wishes(named, ignore, kept, tolerance, unlabelled, boxes)
        if kind == 'folder':
            source = read_folder(places[0], places[1], wishes, pattern)
        elif kind == 'voc':
            source = read_voc(places[0], wishes)
        elif kind == 'classes':
            source = read_classes(places[0], wishes)
        elif kind == 'depth':
            source = read_depth(places[0], places[1], pattern)
        else:
            source = _SHAPES[kind](places[0], places[1] if len(places) > 1 else None, wishes)
        unread = [path for place in places for path in find_files(place, UNREAD_SUFFIXES)]
        if unread:
            source.warnings.append(
                f'{count(len(unread), "picture")} of a kind that is not read, left out: save as '
                f'.png or .jpg {listed(unread)}'
            )
        return source

    origin: dict[str, Any] = {
        'kind': kind, 'paths': [str(place.absolute()) for place in places],
        'command': command or f'prepare_source({kind!r}, ...)',
    }  # fmt: skip
    job = Job(read, Path(out), origin, wanted, depth_unit, link)
    _refuse_nested(places, job.out)
    return prepare(job)


def _checked(kind: str, paths: Sequence[str | Path]) -> list[Path]:
    if kind not in KINDS:
        raise UserError(f"source '{kind}' is unknown: choose from {', '.join(KINDS)}")
    least, most, what = KINDS[kind]
    if not least <= len(paths) <= most:
        raise UserError(f"source '{kind}' takes {what}: {len(paths)} given")
    places = [Path(path) for path in paths]
    for place in places:
        if not place.exists():
            raise UserError(f"'{place}' does not exist: source '{kind}' takes {what}")
    return places


def _refuse_without_effect(kind: str, given: Mapping[str, object]) -> None:
    for option, value in given.items():
        if value and kind not in _FOR[option]:
            raise UserError(
                f"--{option} is for {', '.join(_FOR[option])}, not for source '{kind}': leave it "
                'out'
            )
    if kind == 'depth' and not given['unit']:
        raise UserError('depth needs --unit: mm, cm, m, disparity, or the metres of a step')


def _refuse_nested(places: Sequence[Path], out: Path) -> None:
    """Keep the data set out of its sources: the next run would read it as one of them."""
    for place in places:
        if place.is_dir() and out.resolve().is_relative_to(place.resolve()):
            raise UserError(f"--out '{out}' is inside of the source '{place}': choose another")
        if place.resolve().is_relative_to(out.resolve()):
            raise UserError(f"the source '{place}' is inside of --out '{out}': choose another")
