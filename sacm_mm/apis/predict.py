"""Predict files: pictures, folders of them, videos, cameras."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sacm_mm.apis.outputs import VIDEO_SUFFIXES, Outcome, Saved, Wanted, Writer, printable
from sacm_mm.apis.pipeline import WriteBehind, predict_stream
from sacm_mm.apis.predictor import Model
from sacm_mm.apis.video import Track, predict_video
from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.files import check_writable
from sacm_mm.datasets.picture_files import SUFFIXES, UNREAD_SUFFIXES


def predict_files(
    model: Model,
    source: str | Path | int,
    out: Path,
    wanted: Wanted | None = None,
    tell: Callable[[str], None] = lambda line: None,
    track: Track = lambda things, *_, **__: things,
) -> Outcome:
    """Predict a picture, a folder of pictures and videos (with those below it), or a video.

    Files of a folder that cannot be read are left out; a single one that cannot is an error.

    Args:
        model: The model.
        source: The file or folder; or the number of a camera, which runs until Ctrl-C.
        out: Folder to write to; folders below ``source`` are kept in it. Where several kinds of
            pictures are saved, each has a folder of its own.
        wanted: What is written.
        tell: Is told a line for each file.
        track: Shows how far it is: ``rich.progress.track``.

    Raises:
        UserError: There is nothing to predict, or a file that is no earlier output would be
            replaced; nothing is written then.
    """
    wanted = wanted or Wanted()
    wanted.check(model.task)
    source = Path(str(source))
    camera = int(source.name) if str(source).isdigit() and not source.exists() else None
    if camera is None:
        found, skipped = find_inputs(source, out, model.suffixes)
    else:
        found, skipped = [Path(f'camera{camera}.mp4')], []
    videos = [path for path in found if path.suffix.lower() in VIDEO_SUFFIXES]
    if videos and wanted.legend:  # of the classes that occur, so that frames would differ in size
        raise UserError('--legend is of single pictures, videos have none: leave it out')
    check_writable(out)
    if wanted.tile and model.resizes:
        scale = model.resizes[0].get('scale', '')
        tell(
            "note: tiles are at the pictures' own scale; without --tile the model's config resizes "
            f'pictures to {scale} first: where it was trained so, tiles show it objects of other '
            'sizes'
        )
    writer = Writer(model, out, wanted, found)
    outcome = writer.outcome
    for path, reason in skipped:
        _skip(outcome, path, reason, tell)
    try:
        _predict_pictures(writer, source, found, tell, track)
        for path in videos:
            try:
                for written in predict_video(writer, path, track, camera):
                    tell(printable(written))
            except UserError as error:
                if camera is not None or source.is_file():
                    raise
                _skip(outcome, path, str(error), tell)
        for written in writer.save_tables():
            tell(printable(written))
    finally:
        writer.keep_manifest()
    return outcome


def _predict_pictures(
    writer: Writer, source: Path, found: list[Path], tell: Callable[[str], None], track: Track
) -> None:
    pictures = [path for path in found if path.suffix.lower() not in VIDEO_SUFFIXES]
    wanted = writer.wanted
    stream: Any = predict_stream(
        writer.model, ((path, path) for path in pictures), wanted.batch, wanted.tile, wanted.overlap
    )
    if len(pictures) > 1:
        stream = track(stream, 'pictures', total=len(pictures))

    def note(saved: Saved) -> None:
        for path in writer.note(saved):
            tell(printable(path))

    with WriteBehind(note) as behind:
        for path, result in stream:
            if not isinstance(result, UserError):
                behind.submit(writer.save, path, result)
            elif source.is_file():
                raise UserError(_reason(result, path))
            else:
                _skip(writer.outcome, path, _reason(result, path), tell)


def _skip(outcome: Outcome, path: Path, reason: str, tell: Callable[[str], None]) -> None:
    outcome.skipped.append((path, reason))
    tell(f'left out {printable(path)}: {reason}')


def find_inputs(
    source: Path, out: Path | None = None, suffixes: Sequence[str] = SUFFIXES
) -> tuple[list[Path], list[tuple[Path, str]]]:
    """List what ``source`` names: one picture or video, or those of a folder and of those below.

    Args:
        source: The file or folder.
        out: A folder that is passed over.
        suffixes: Of the pictures that the model takes.

    Returns:
        Files to predict, and those that are none, with the reason.

    Raises:
        UserError: It does not exist, is of no known kind, or the folder holds nothing.
    """
    kinds = (*suffixes, *VIDEO_SUFFIXES)
    if not source.is_dir():
        if not source.exists():
            raise UserError(f"'{source}' does not exist: name an image, a folder or a video")
        if source.suffix.lower() not in kinds:
            raise UserError(
                f"'{source}' is no image or video by its name: it needs {' '.join(kinds)}"
            )
        reason = _unusable(source)
        if reason:
            what = 'video' if source.suffix.lower() in VIDEO_SUFFIXES else 'image'
            raise UserError(f"cannot read {what} '{source}': {reason}")
        return [source], []
    found: list[Path] = []
    skipped: list[tuple[Path, str]] = []

    def unreadable(error: OSError) -> None:
        skipped.append((Path(error.filename), error.strerror or str(error)))

    passed = out.resolve() if out is not None and out.exists() else None
    for folder, below, names in os.walk(source, onerror=unreadable):
        below[:] = sorted(
            name
            for name in below
            if not name.startswith('.') and Path(folder, name).resolve() != passed
        )
        links = (path for path in (Path(folder, name) for name in below) if path.is_symlink())
        skipped += [(path, 'a link to a folder: predict that one too') for path in links]
        if passed == source.resolve():
            passed = None  # what would be replaced is found out later
        for path in (Path(folder, name) for name in sorted(names)):
            suffix = path.suffix.lower()
            if suffix in (*kinds, *SUFFIXES, *UNREAD_SUFFIXES):
                reason = _unusable(path)
                if suffix in UNREAD_SUFFIXES:
                    reason = reason or 'of a kind that is not read: save it as .png or .jpg'
                elif suffix not in kinds:
                    reason = reason or f"the loader in the model's config reads no {suffix}"
                if reason:
                    skipped.append((path, reason))
                else:
                    found.append(path)
    if not found and not skipped:
        raise UserError(f"no images in '{source}': it needs {' '.join(suffixes)}")
    return found, skipped


def _unusable(path: Path) -> str:
    """Say why a file is not opened at all; empty if it is."""
    if path.name.startswith('.'):
        return 'hidden'
    try:
        status = path.stat()
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(status.st_mode):
        return 'no regular file'
    return '' if status.st_size else 'empty'


def _reason(error: Exception, path: Path) -> str:
    text = one_line(error)
    return text if str(path) in text else f"'{printable(path)}': {text}"
