"""Decide the classes: which code of the source is which class, by what name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sacm_mm.core.errors import UserError
from sacm_mm.core.labels import IGNORE_INDEX

from .class_names import Colour, guess_names, own_name, spread_colours
from .mask_files import MaskScan, describe, is_ignored_value, merge_near, refuse_blur
from .raw_masks import code_of
from .samples import IGNORED_NAMES, MAX_CLASSES, Category, listed

BACKGROUND = 'background'


@dataclass
class Wishes:
    """What the user says of the classes.

    Attributes:
        named: Names, with colours or not, in the order of the classes; empty to find out.
        ignored: Names, colours or values that are not to be learned.
        earlier: Classes of the data set that is written anew; they keep numbers and names.
        tolerance: Largest difference of a channel at which a colour is still the named one.
        unlabelled: What no shape covers: ``'background'`` or ``'ignore'``.
        boxes: Take boxes for areas, where a source has them beside or in place of polygons.
    """

    named: Sequence[tuple[str, Colour | None]] = ()
    ignored: Sequence[str] = ()
    earlier: Sequence[Category] = ()
    tolerance: int = 0
    unlabelled: str = BACKGROUND
    boxes: bool = False


@dataclass
class Decided:
    """The classes, and what each code of the source is.

    Attributes:
        classes: In the order of their numbers.
        numbers: The class of each code, 255 for what is ignored.
        notes: How it was decided, for people.
    """

    classes: list[Category]
    numbers: dict[int, int]
    notes: list[str]


def decide_classes(scan: MaskScan, wishes: Wishes) -> Decided:
    """Decide what each code of mask files stands for.

    Raises:
        UserError: The names do not fit the codes, or there is nothing to tell apart.
    """
    if any(category.code.startswith('#') is not scan.coloured for category in wishes.earlier):
        now, then = ('colours', 'numbers')[:: 1 if scan.coloured else -1]
        path = next(iter(scan.first.values()))
        raise UserError(
            f"masks such as '{path}' are taken for {now} now, but were for {then} when the data "
            'set was made: choose another --out, or save those that are new like the others'
        )
    merged = {code: code for code in scan.share}
    if wishes.tolerance:
        colours = [code_of(c) for _, c in wishes.named if c] if scan.coloured else []
        merged = merge_near(scan, colours, wishes.tolerance)
    else:
        refuse_blur(scan)
    codes = sorted(set(merged.values()))
    entries, notes = _entries(scan, codes, wishes)
    ignored = [code for code, entry in entries.items() if entry is None]
    classes = list(wishes.earlier)
    numbers: dict[int, int] = {}
    for code, entry in entries.items():
        if entry is not None:
            numbers[code] = place_of(entry, classes)
    refuse_many(classes)
    seen = {numbers[c] for c in codes if c in numbers}
    if len(seen) < 2 and len(classes) < 2:
        only = describe(codes[0], scan.coloured)
        raise UserError(
            f"every mask holds only {only}, as '{scan.first[codes[0]]}': there is nothing to "
            'learn; is it the folder of the masks?'
        )
    if ignored:
        notes.append('ignored: ' + listed([describe(c, scan.coloured) for c in ignored]))
    return Decided(
        classes, {code: numbers.get(merged[code], IGNORE_INDEX) for code in merged}, notes
    )


def refuse_many(classes: Sequence[Category]) -> None:
    """Refuse more classes than a mask has numbers for."""
    if len(classes) > MAX_CLASSES:
        raise UserError(f'there are {len(classes)} classes: a mask holds at most {MAX_CLASSES}')


def place_of(category: Category, classes: list[Category]) -> int:
    """Return the number of the class of that code; a new one is appended, by a name of its own."""
    for place, other in enumerate(classes):
        if other.code == category.code:
            return place
    name = own_name(category.name, [other.name for other in classes])
    classes.append(replace(category, name=name))
    return len(classes) - 1


def _entries(
    scan: MaskScan, codes: list[int], wishes: Wishes
) -> tuple[dict[int, Category | None], list[str]]:
    """Name each code; None is ignored. Codes that are named but absent are classes too."""
    if wishes.named and any(colour for _, colour in wishes.named):
        entries, notes = _by_colour(scan, codes, wishes.named)
    elif wishes.named:
        entries, notes = _by_order(scan, codes, [name for name, _ in wishes.named], wishes)
    else:
        entries, notes = _guessed(scan, codes)
    earlier = {category.code: category.name for category in wishes.earlier}
    left = {wish.lower() for wish in wishes.ignored}
    for code, entry in entries.items():
        text = _code_text(code, scan.coloured)
        words = {text, text.lstrip('#')}
        if entry is not None:
            words |= {entry.name.lower(), earlier.get(entry.code, '').lower()}
        if words & ({wish.lower() for wish in wishes.ignored} | IGNORED_NAMES):
            entries[code] = None
            left -= words
    if left:
        raise UserError(
            f"--ignore '{sorted(left)[0]}' is no class, colour or value of the masks: they "
            f'hold {listed([describe(c, scan.coloured) for c in codes], 6)}'
        )
    return entries, notes


def _code_text(code: int, coloured: bool) -> str:
    return f'#{code:06x}' if coloured else str(code)


def _rgb(code: int) -> Colour:
    return code >> 16 & 255, code >> 8 & 255, code & 255


def _by_colour(
    scan: MaskScan, codes: list[int], named: Sequence[tuple[str, Colour | None]]
) -> tuple[dict[int, Category | None], list[str]]:
    missing = [name for name, colour in named if colour is None]
    if missing:
        raise UserError(f"class '{missing[0]}' has no colour, but others do: give all of them one")
    if not scan.coloured:  # numbers: the order is the number, the colours are for looking at
        pairs = [(i, name, colour) for i, (name, colour) in enumerate(named)]
        greys = [colour[0] for _, colour in named if colour and len(set(colour)) == 1]
        if len(greys) == len(named) and set(codes) <= set(greys):
            pairs = [(g, name, colour) for g, (name, colour) in zip(greys, named)]
        elif scan.palette and {scan.palette.get(c) for c in codes} <= {c for _, c in named}:
            index = {colour: code for code, colour in scan.palette.items()}
            pairs = [(index.get(c, -1 - i), n, c) for i, (n, c) in enumerate(named) if c]
    else:
        pairs = [(code_of(colour), name, colour) for name, colour in named if colour]
    entries: dict[int, Category | None] = {
        code: Category(name, colour or (0, 0, 0), _code_text(code, scan.coloured))
        for code, name, colour in pairs
    }
    for code in codes:
        if code not in entries:
            if not scan.coloured and code == IGNORE_INDEX:
                entries[code] = None
                continue
            raise UserError(
                f"mask '{scan.first[code]}' holds {describe(code, scan.coloured)} "
                f'({scan.share[code]:.2%} of all pixels), which the names leave out: name it, give '
                '--ignore with it, or --tolerance if it is blur'
            )
    return entries, []


def _by_order(
    scan: MaskScan, codes: list[int], names: list[str], wishes: Wishes
) -> tuple[dict[int, Category | None], list[str]]:
    """Give names without colours to the codes: by number where they are numbers, else in order."""
    ignored = {wish.lower().lstrip('#') for wish in wishes.ignored}
    kept = [c for c in codes if _code_text(c, scan.coloured).lstrip('#') not in ignored]
    if not scan.coloured and is_ignored_value(IGNORE_INDEX, codes) and IGNORE_INDEX in kept:
        kept.remove(IGNORE_INDEX)
    entries: dict[int, Category | None] = {}
    if not scan.coloured and kept and max(kept) < len(names):
        numbered = list(enumerate(names))
    elif len(kept) == len(names):
        numbered = list(zip(kept, names))
    else:
        raise UserError(
            f'{len(names)} classes are named, but the masks hold {len(kept)} values: '
            f'{listed([describe(c, scan.coloured) for c in kept], 8)}; name each in this order, '
            'or give a file of names and colours as --classes'
        )
    spread = spread_colours(len(names))
    for place, (code, name) in enumerate(numbered):
        colour = _rgb(code) if scan.coloured else scan.palette.get(code, spread[place])
        entries[code] = Category(name, colour, _code_text(code, scan.coloured))
    notes = []
    if scan.coloured:
        pairs = [f'{_code_text(code, True)} {name}' for code, name in numbered]
        notes.append(f'classes: in the order of the colours, {listed(pairs, 8)}')
    return entries | {code: None for code in codes if code not in entries}, notes


def _guessed(scan: MaskScan, codes: list[int]) -> tuple[dict[int, Category | None], list[str]]:
    entries: dict[int, Category | None] = {}
    if scan.coloured or (scan.palette and set(codes) - {IGNORE_INDEX} <= set(scan.palette)):
        kept = [c for c in codes if scan.coloured or not is_ignored_value(c, codes)]
        colours = [_rgb(c) if scan.coloured else scan.palette[c] for c in kept]
        names, known = guess_names(colours)
        how = f'the colours are those of {known}' if known else 'named by their colours: a guess'
        notes = [f'classes: {how}']
    else:
        kept = [c for c in codes if not is_ignored_value(c, codes)]
        colours = list(spread_colours(len(kept)))
        two = len(kept) == 2 and kept[0] == 0
        names = ['background', 'foreground'] if two else [f'class_{c}' for c in kept]
        notes = [f'classes: the values {listed(kept, 8)}']
        if IGNORE_INDEX in kept and two:
            notes.append('255 is the foreground, not what is ignored')
    for code in codes:
        entries[code] = None
    for code, name, colour in zip(kept, names, colours):
        entries[code] = Category(name, colour, _code_text(code, scan.coloured))
    return entries, notes
