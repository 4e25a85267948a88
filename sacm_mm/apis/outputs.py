"""What is written of predictions, and that nothing of anybody else is replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sacm_mm.apis.predictor import Model
from sacm_mm.apis.result import Result
from sacm_mm.core.depth_files import depth_scale, write_depth, write_scale
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import fit_classes, output_names, write_csv, write_image, write_json
from sacm_mm.models.task import largest_depth

VIDEO_SUFFIXES = ('.avi', '.mkv', '.mov', '.mp4', '.webm')
PICTURES = ('overlay', 'masks', 'colour', 'depth16')  # a file each for every picture
TABLES = {'json': 'predictions.json', 'csv': 'predictions.csv'}  # one for all
_MANIFEST = '.sacm_predict.json'  # which files of a folder are of an earlier call


@dataclass(frozen=True)
class Wanted:
    """What is written, and how.

    Attributes:
        save: Of ``overlay``, ``masks`` (8 bit, classes as they are numbered), ``colour``,
            ``depth16`` (16 bit, its scale beside it), ``json``, ``csv``.
        opacity: Of overlays.
        legend: Names of classes below overlays.
        batch: Pictures that are predicted together; None finds how many.
        tile: Pixels a side of the parts of huge pictures; None predicts pictures whole.
        overlap: Pixels that neighbouring tiles share; None takes what the network sees.
        overwrite: Replace files that are not of an earlier call.
        frames: Stop a video or a camera after so many.
    """

    save: Sequence[str] = ('overlay',)
    opacity: float = 0.5
    legend: bool = False
    batch: int | None = None
    tile: int | None = None
    overlap: int | None = None
    overwrite: bool = False
    frames: int | None = None

    def check(self, task: str | None = None) -> None:
        """Refuse kinds that are unknown, and what the task has none of."""
        known = (*PICTURES, *TABLES)
        for kind in self.save:
            if kind not in known:
                raise UserError(f"--save knows no '{kind}': choose of {', '.join(known)}")
        lacks = {
            **dict.fromkeys(('classification', 'multilabel'), ('masks', 'colour', 'depth16')),
            'segmentation': ('depth16',),
            'depth': ('masks', 'colour'),
        }.get(task or '', ())
        for kind in self.save:
            if kind in lacks:
                fits = ','.join(k for k in known if k not in lacks)
                raise UserError(f'a model for {task} gives no {kind}: choose --save of {fits}')
        if self.overlap is not None and not 0 <= self.overlap < (self.tile or 0):
            raise UserError(
                f'--overlap is {self.overlap}, --tile {self.tile}: give 0 or more, and less than '
                '--tile'
            )
        if self.legend and 'overlay' not in self.save:
            raise UserError('--legend is of overlays: leave it out, or add overlay to --save')
        if self.legend and task not in (None, 'segmentation'):
            raise UserError(f'--legend is of segmentation, this is {task}: leave it out')
        if not 0 <= self.opacity <= 1:
            raise UserError(f'--opacity is {self.opacity}: give 0 (the picture) to 1 (the classes)')


@dataclass
class Outcome:
    """What became of the files: what was written, what was left out and why."""

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


class Saved(NamedTuple):
    """Files of one picture, and its row of the tables."""

    written: list[Path]
    row: dict[str, Any]


def printable(path: str | Path) -> str:
    """Return a path for people: names need not be UTF-8."""
    return os.fsencode(path).decode('utf-8', 'replace')


class Writer:
    """Writes results, and never over what it did not write."""

    def __init__(self, model: Model, out: Path, wanted: Wanted, inputs: list[Path]) -> None:
        self.model, self.out, self.wanted = model, out, wanted
        self.outcome = Outcome()
        self.rows: list[dict[str, Any]] = []
        self._scaled = False
        self._depth_scale = depth_scale(largest_depth(model.network))
        self._manifest = _read_manifest(out)
        self.kinds = [kind for kind in wanted.save if kind in PICTURES]
        self._inputs = {path.resolve() for path in inputs}
        names = output_names(inputs, '.png')
        self._names = {path: names[os.fspath(path)] for path in inputs}
        self._folders = {folder for name in names.values() for folder in name.parents}
        planned = [self.path(source, kind) for source in inputs for kind in self.kinds]
        planned += [self.out / name for kind, name in TABLES.items() if kind in wanted.save]
        for path in planned:
            self._check(path)

    def path(self, source: Path, kind: str) -> Path:
        """Return where a kind of picture of a source goes."""
        folder = self.out / kind if len(self.kinds) > 1 else self.out
        name = self._names[source]
        if source.suffix.lower() in VIDEO_SUFFIXES:
            frames = name.with_suffix('')
            if frames in self._folders:  # of pictures, such as the frames that were taken from it
                frames = name.with_name(source.name)
            name = name.with_suffix('.mp4') if kind == 'overlay' else frames
        return folder / name

    def _check(self, path: Path) -> None:
        """Refuse to replace an input, or a file of somebody else."""
        if path.resolve() in self._inputs:
            raise UserError(
                f"'{printable(path)}' is an input and would be replaced: choose another --out"
            )
        if not self.wanted.overwrite and path.exists() and not self._is_own(path):
            raise UserError(
                f"'{printable(path)}' exists and is not overwritten: choose another --out, or give "
                '--overwrite'
            )

    def _is_own(self, path: Path) -> bool:
        if path.is_dir():
            return all(self._is_own(inner) for inner in path.iterdir())
        return self._manifest.get(printable(path.relative_to(self.out))) == _looks(path)

    def wrote(self, path: Path) -> Path:
        """Note a file that is written; the first one of depth gets its scale beside it."""
        if 'depth16' in self.kinds and not self._scaled:
            folder = self.out / 'depth16' if len(self.kinds) > 1 else self.out
            write_scale(folder, self._depth_scale)
            self._scaled = True
        self._manifest[printable(path.relative_to(self.out))] = _looks(path)
        self.outcome.written.append(path)
        return path

    def keep_manifest(self) -> None:
        """Write down which files are of this call and earlier ones."""
        if self.outcome.written:
            write_json(self._manifest, self.out / _MANIFEST)

    def save(self, source: Path, result: Result, frame: int | None = None) -> Saved:
        """Write what is wanted of one picture; in any thread. ``note`` takes what it returns.

        Of a frame of a video all but the overlay, which goes into another video.
        """
        saved = Saved([], {'image': printable(source)})
        if frame is not None:
            saved.row['frame'] = frame
        for kind in self.kinds:
            path = self.path(source, kind)
            if frame is not None:
                if kind == 'overlay':
                    continue
                path /= f'{frame:06d}.png'
            self._write(result, kind, path)
            saved.row[kind] = printable(path.relative_to(self.out))
            saved.written.append(path)
        if set(self.wanted.save) & set(TABLES):
            saved.row.update(result.summary())
        return saved

    def note(self, saved: Saved) -> list[Path]:
        """Note what ``save`` has written."""
        if set(self.wanted.save) & set(TABLES):
            self.rows.append(saved.row)
        return [self.wrote(path) for path in saved.written]

    def _write(self, result: Result, kind: str, path: Path) -> None:
        if kind == 'depth16':
            assert result.depth is not None
            write_depth(np.where(result.depth < 0, 0, result.depth), path, self._depth_scale)
        elif kind == 'overlay':
            write_image(result.draw(self.wanted.opacity, self.wanted.legend), path)
        elif kind == 'colour':
            write_image(result.colours(), path)
        else:
            assert result.classes is not None
            write_image(fit_classes(result.classes), path)

    def save_tables(self) -> Iterator[Path]:
        """Write the tables of all pictures."""
        if 'json' in self.wanted.save:
            path = self.out / TABLES['json']
            left_out = [
                {'image': printable(path), 'reason': why} for path, why in self.outcome.skipped
            ]
            write_json({'pictures': self.rows, 'left_out': left_out}, path)
            yield self.wrote(path)
        if 'csv' in self.wanted.save and self.rows:
            path = self.out / TABLES['csv']
            write_csv([_flat(row) for row in self.rows], path)
            yield self.wrote(path)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {
        key: ', '.join(value) if isinstance(value, list) else value
        for key, value in row.items()
        if key != 'shares'
    }
    return {**flat, **{f'share of {k}': v for k, v in row.get('shares', {}).items()}}


def _looks(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _read_manifest(out: Path) -> dict[str, list[int]]:
    try:
        return json.loads((out / _MANIFEST).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
