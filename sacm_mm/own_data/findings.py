"""What a check found: for the text that is printed, and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WRONG, DOUBT = 'wrong', 'doubt'


@dataclass(frozen=True)
class Finding:
    """Something to mend or to look at.

    Attributes:
        level: ``'wrong'``, which training would fail on or learn nonsense from, or ``'doubt'``.
        what: What it is, in a sentence that names the first file.
        fix: What to do about it.
        files: All files that it is about.
    """

    level: str
    what: str
    fix: str
    files: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding in one line."""
        more = f' ({len(self.files) - 1} more like it)' if len(self.files) > 1 else ''
        return f'{self.what}{more}: {self.fix}'

    def __str__(self) -> str:
        return f'{"wrong" if self.level == WRONG else "look at"}: {self.line}'


@dataclass
class ClassRow:
    """A class in the table of the page; shares and pictures of each part."""

    name: str
    colour: str
    share: float
    pictures: dict[str, int]


@dataclass
class Shown:
    """A picture on the page, as a data address, with what it is."""

    address: str
    caption: str


@dataclass
class Report:
    """All that a check says of a data set.

    Attributes:
        name: Of the data set.
        task: What it is for.
        counts: Pictures of each part.
        facts: Names and values of what was measured.
        classes: In the order of their numbers.
        findings: What is wrong first.
        pictures: Overlays to look at.
        rare: Overlays of the rarest classes.
        origin: Where it came from.
        notes: How the source was read.
    """

    name: str
    task: str
    counts: dict[str, int]
    facts: list[tuple[str, str]] = field(default_factory=list)
    classes: list[ClassRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    pictures: list[Shown] = field(default_factory=list)
    rare: list[Shown] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[Finding]:
        """What must be mended before training."""
        return [finding for finding in self.findings if finding.level == WRONG]

    @property
    def doubts(self) -> list[Finding]:
        """What a person should look at."""
        return [finding for finding in self.findings if finding.level == DOUBT]

    def add(self, level: str, what: str, fix: str, files: Sequence[object] = ()) -> None:
        """Note a finding."""
        self.findings.append(Finding(level, what, fix, tuple(str(file) for file in files)))


def as_text(report: Report) -> list[str]:
    """Return a report as lines for a terminal."""
    counted = ', '.join(f'{number} {part}' for part, number in report.counts.items() if number)
    lines = [f'{report.name}: {report.task}, {counted}']
    lines += [f'  {note}' for note in report.notes]
    lines += [f'  {name}: {value}' for name, value in report.facts]
    if report.classes:
        width = max(len(row.name) for row in report.classes)
        what = 'pictures' if report.task == 'classification' else 'pixels'
        for row in report.classes:
            held = ', '.join(f'{n} {part}' for part, n in row.pictures.items())
            lines.append(f'  {row.name:{width}}  {row.share:7.2%} of {what}, in {held}')
    return lines + (list(map(str, report.findings)) or ['nothing wrong was found'])
