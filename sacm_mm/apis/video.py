"""Predict the frames of a video or a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sacm_mm.apis.outputs import Saved, Writer
from sacm_mm.apis.pipeline import WriteBehind, predict_stream
from sacm_mm.apis.result import Result
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import atomic_write

Track = Callable[..., Iterable]  # rich.progress.track

_RATE = 25.0  # frames a second, where the source does not say


def predict_video(
    writer: Writer, source: Path, track: Track, camera: int | None = None
) -> Iterator[Path]:
    """Write the overlay of every frame as a video, and other pictures as a folder of frames.

    Args:
        writer: What is written, and where.
        source: The video; of a camera the name that its outputs have.
        track: Shows how far it is.
        camera: Number of a camera, whose frames are taken one by one until Ctrl-C; what there is
            of them is kept.

    Yields:
        What is written.

    Raises:
        UserError: The video cannot be read, or cannot be written on this machine; or it breaks
            off, after what there is of it is written.
    """
    capture = cv2.VideoCapture(str(source) if camera is None else camera)
    if camera is not None and not capture.isOpened():
        raise UserError(f'there is no camera {camera}: the first one is 0')
    try:
        frames = _Frames(capture, writer.wanted.frames)
        yield from _predict_frames(writer, source, frames, track, live=camera is not None)
        if camera is None and writer.wanted.frames is None:
            frames.check_end(source)
    finally:
        capture.release()


def _predict_frames(
    writer: Writer, source: Path, frames: _Frames, track: Track, live: bool
) -> Iterator[Path]:
    """Read frames until there are no more: headers do not always say how many there are."""
    folders = [writer.path(source, kind) for kind in writer.kinds if kind != 'overlay']
    video = writer.path(source, 'overlay') if 'overlay' in writer.kinds else None
    count = 0
    wanted = writer.wanted
    batch = 1 if live else wanted.batch
    with _recording(video, frames.capture.get(cv2.CAP_PROP_FPS)) as add:

        def write(number: int, result: Result) -> Saved:
            saved = writer.save(source, result, number)
            if video:
                add(result.draw(wanted.opacity))
            return saved

        # by one thread, for a video's frames are in order
        with WriteBehind(writer.note, 1) as behind, suppress(*([KeyboardInterrupt] * live)):
            numbered = enumerate(frames)
            stream = predict_stream(writer.model, numbered, batch, wanted.tile, wanted.overlap)
            for number, result in track(stream, source.name):
                if isinstance(result, UserError):
                    raise result
                count += 1
                behind.submit(write, number, result)
        if not count:
            raise UserError(f"cannot read video '{source}': OpenCV finds no frames in it")
    if video:
        yield writer.wrote(video)
    yield from folders


@contextmanager
def _recording(path: Path | None, rate: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a video that is under its name when all frames are in it.

    Yields:
        Adds a frame (H, W, 3) of 8 bits.

    Raises:
        UserError: It cannot be written.
    """
    writer: cv2.VideoWriter | None = None
    count = 0

    def add(frame: np.ndarray) -> None:
        nonlocal writer, count
        if writer is None:
            writer = _open(partial, rate, frame)
        writer.write(frame)
        count += 1

    with nullcontext(Path()) if path is None else atomic_write(path) as partial:
        try:
            yield add
        finally:
            if writer is not None:
                writer.release()
        if count:
            written = int(cv2.VideoCapture(str(partial)).get(cv2.CAP_PROP_FRAME_COUNT))
            if written < count:  # the encoder does not say that the disk is full
                raise UserError(
                    f"cannot write '{path}': {written} of {count} frames are in it (No space left?)"
                )


class _Frames:
    """Frames of a capture, and how far they go; ``limit`` ends them earlier."""

    def __init__(self, capture: Any, limit: int | None) -> None:
        self.capture, self.limit = capture, limit
        self.seconds = 0.0  # when the last one is shown

    def __iter__(self) -> Iterator[np.ndarray]:
        count = 0
        while self.limit is None or count < self.limit:
            read, frame = self.capture.read()
            if not read:
                return
            self.seconds = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            yield frame
            count += 1

    def check_end(self, source: Path) -> None:
        """Compare with the length that the header says, if it does.

        OpenCV ends at a frame that is damaged as it does at the last one. Frames are not counted:
        where they are not evenly spaced their number is a guess.

        Raises:
            UserError: More than a second and a twentieth are missing.
        """
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        length = self.capture.get(cv2.CAP_PROP_FRAME_COUNT) / rate if rate > 0 else 0.0
        if 0 < self.seconds < length - max(1.0, length / 20):  # not every backend tells the time
            raise UserError(
                f"'{source}' breaks off after {self.seconds:.1f} of {length:.1f} seconds: what "
                'could be read is written; mend or replace the video for the rest'
            )


def _open(path: Path, rate: float, frame: np.ndarray) -> cv2.VideoWriter:
    codec = cv2.VideoWriter.fourcc(*'mp4v')
    size = (frame.shape[1], frame.shape[0])
    writer = cv2.VideoWriter(str(path), codec, rate if 0 < rate < 1000 else _RATE, size)
    if not writer.isOpened():
        raise UserError(f"cannot write '{path}': this OpenCV has no MPEG-4 encoder")
    return writer
