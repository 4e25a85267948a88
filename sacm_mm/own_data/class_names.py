"""Names and colours of classes: from files that people keep them in, or a first guess."""

from __future__ import annotations

import colorsys
import csv
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import ImageColor

from sacm_mm.core.errors import UserError, one_line
from sacm_mm.datasets.dataset_file import load_yaml

from .samples import listed

Colour = tuple[int, int, int]

# files that tools put beside masks
_BESIDE = (
    'labelmap.txt', 'label_colors.txt', 'label_colours.txt', 'class_dict.csv', 'palette.txt',
    'palette.json', 'palette.yaml', 'classes.txt', 'labels.txt', 'class_names.txt', 'obj.names',
)  # fmt: skip
_HEX = re.compile(r'#([0-9a-fA-F]{6})\b')
_HEADER = re.compile(
    r'(name|class|label|id)\w*\s*[,;\t].*\br(ed)?\b', re.IGNORECASE
)  # of a CSV file
_TRIPLE = re.compile(r'(?<![\w.])(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})(?![\w.])')


def read_names(text: str) -> list[tuple[str, Colour | None]]:
    """Read ``--classes``: a file of names, with colours or not, or the names with commas between.

    Raises:
        UserError: There are none, one occurs twice, or the file cannot be read.
    """
    path = Path(text)
    if path.is_file():
        named = read_palette_file(path)
    elif path.suffix.lower() in ('.txt', '.csv', '.json', '.yaml', '.yml', '.names'):
        raise UserError(f"file of class names '{text}' does not exist")
    else:
        named = [(name.strip(), None) for name in text.split(',') if name.strip()]
    if not named:
        raise UserError(f"'{text}' names no classes: write sky,road,car or the name of a file")
    return _checked(named, text)


def _checked(named: list[tuple[str, Colour | None]], where: str) -> list[tuple[str, Colour | None]]:
    names = [name for name, _ in named]
    if '' in names:
        raise UserError(f"class {names.index('')} of '{where}' has no name: give it one")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"class '{twice[0]}' is named twice in '{where}': names must differ")
    return named


def read_palette_file(path: Path) -> list[tuple[str, Colour | None]]:
    """Read names, and colours where there are any, of a text, CSV, JSON or YAML file.

    A line is ``name r g b``, ``r g b name``, ``name:r,g,b::`` (CVAT), ``#rrggbb name`` or a name.

    Raises:
        UserError: It cannot be read.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
        if path.suffix.lower() in ('.json', '.yaml', '.yml'):
            content = json.loads(text) if path.suffix.lower() == '.json' else load_yaml(text)
            return _checked(_structured(content), str(path))
    except UserError:
        raise
    except Exception as error:  # of values of wrong types, and PyYAML's
        raise UserError(f"cannot read class names of '{path}': {one_line(error)}") from error
    named = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith('#') and not _HEX.match(line):
            continue
        if entry := _entry_of_line(line):
            named.append(entry)
    return _checked(named, str(path))


def read_name_lines(path: Path) -> dict[int, str]:
    """Read a list of YOLO's, a class a line as it stands; a blank one has a number too.

    Raises:
        UserError: It cannot be read, or a name occurs twice.
    """
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read class names of '{path}': {one_line(error)}") from error
    names = {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    _checked([(name, None) for name in names.values()], str(path))
    return names


def palette_beside(folder: Path) -> Path | None:
    """Find a file of names that a tool put into the folder of the masks, or beside it."""
    for place in (folder, folder.parent):
        for path in sorted(place.glob('*')):
            if path.name.lower() in _BESIDE and path.is_file():
                return path
    return None


def _structured(content: object) -> list[tuple[str, Colour | None]]:
    if isinstance(content, dict):
        for key in ('classes', 'names', 'labels', 'categories'):
            if key in content:
                return _structured(content[key])
        if all(str(key).lstrip('-').isdecimal() for key in content):  # YOLO: {0: name}
            numbers = {int(key): str(name) for key, name in content.items()}
            if sorted(numbers) != list(range(len(content))):
                raise ValueError(
                    f'it numbers its classes {listed(sorted(numbers), 6)}: number them from 0 on '
                    'without gaps, or list the names in the order of the values'
                )
            return [(numbers[number], None) for number in sorted(numbers)]
        return [(str(name), _colour(value)) for name, value in content.items()]
    if isinstance(content, list):
        return [
            (str(item['name']), _colour(item.get('colour') or item.get('color')))
            if isinstance(item, dict)
            else (str(item), None)
            for item in content
        ]
    raise ValueError('it must hold a list of names, or names with colours')


def _colour(value: object) -> Colour | None:
    if value is None:
        return None
    if isinstance(value, str):
        return ImageColor.getrgb(value)[:3]
    r, g, b = (int(v) for v in value)  # type: ignore[attr-defined]
    if not all(0 <= v <= 255 for v in (r, g, b)):
        raise ValueError(f'the colour {r}, {g}, {b} is none: it needs three numbers, 0 to 255')
    return r, g, b


def _entry_of_line(line: str) -> tuple[str, Colour | None] | None:
    colour: Colour | None = None
    rest = line
    if found := _HEX.search(line):
        colour = ImageColor.getrgb(found.group())[:3]
        rest = line.replace(found.group(), ' ')
    elif (triple := _TRIPLE.search(line)) and all(int(v) < 256 for v in triple.groups()):
        r, g, b = map(int, triple.groups())
        colour = (r, g, b)
        rest = f'{line[: triple.start()]} {line[triple.end() :]}'
    if colour is not None:
        rest = rest.rstrip(':').replace(':', ' ')
    (name,) = next(csv.reader([rest.strip(' \t,;')]), [''])[:1] or ['']
    name = name.strip(' \t,;"\'')
    if not name or _HEADER.match(line):
        return None
    return name, colour


def guess_names(colours: Sequence[Colour]) -> tuple[list[str], str]:
    """Name colours: after a known data set that has all of them, or as CSS names them.

    Returns:
        Names that all differ, and the data set, or nothing.
    """
    known = _known_palette(colours)
    if known:
        return known
    names: list[str] = []
    for colour in colours:
        name = 'background' if colour == (0, 0, 0) else _css_name(colour)
        names.append(own_name(name, names))
    return names, ''


def own_name(name: str, taken: Sequence[str]) -> str:
    """Return the name, with a number where it is taken."""
    numbered = (f'{name}_{number}' for number in itertools.count(2))
    return next(own for own in itertools.chain([name], numbered) if own not in taken)


def _css_name(colour: Colour) -> str:
    def distance(name: str) -> int:
        other = ImageColor.getrgb(name)
        return sum((a - b) ** 2 for a, b in zip(colour, other))

    return min(sorted(ImageColor.colormap), key=distance)


def _known_palette(colours: Iterable[Colour]) -> tuple[list[str], str] | None:
    wanted = [c for c in colours if c != (0, 0, 0)]
    if len(wanted) < 3:  # any set has two of them
        return None
    from mmseg.utils import get_classes, get_palette

    from sacm_mm.datasets.segmentation import CamVidDataset

    sets = {'CamVid': (CamVidDataset.METAINFO['classes'], CamVidDataset.METAINFO['palette'])}
    for name in ('cityscapes', 'voc', 'ade', 'potsdam', 'loveda'):
        sets[name] = (get_classes(name), get_palette(name))
    for name, (classes, palette) in sets.items():
        by_colour = {tuple(c): str(n) for n, c in zip(classes, palette)}
        if all(c in by_colour for c in wanted):
            void = 'background' if name == 'voc' else 'void'
            return [by_colour.get(tuple(c), void) for c in colours], name
    return None


def spread_colours(number: int) -> list[Colour]:
    """Make colours that differ: black for the first class, then all around the circle of hues."""
    colours: list[Colour] = [(0, 0, 0)]
    for i in range(1, number):
        hue = (i * 0.61803398875) % 1  # the golden ratio: neighbours never look alike
        value = (1.0, 0.75, 0.55)[i % 3]
        r, g, b = colorsys.hsv_to_rgb(hue, 0.85 if i % 2 else 0.6, value)
        colours.append((round(r * 255), round(g * 255), round(b * 255)))
    return colours[:number]
