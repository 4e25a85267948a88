"""Draw predictions of files: an image, a folder of images or a video."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_image
from sacm_mm.inference import Predictor

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
VIDEO_SUFFIXES = ('.avi', '.mkv', '.mov', '.mp4', '.webm')

Track = Callable[..., Iterable]  # rich.progress.track


def find_inputs(source: Path) -> list[Path]:
    """List what ``source`` names: one image or video, or the images of a folder.

    Raises:
        UserError: It does not exist, is of no known kind, or the folder holds no images.
    """
    if source.is_dir():
        found = sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise UserError(f"no images in '{source}': it needs {' '.join(IMAGE_SUFFIXES)}")
        return found
    if not source.is_file():
        raise UserError(f"'{source}' does not exist: name an image, a folder or a video")
    if source.suffix.lower() not in IMAGE_SUFFIXES + VIDEO_SUFFIXES:
        known = ' '.join(IMAGE_SUFFIXES + VIDEO_SUFFIXES)
        raise UserError(f"'{source}' is no image or video by its name: it needs {known}")
    return [source]


def draw_image(predictor: Predictor, source: Path, out: Path) -> Path:
    """Draw the prediction of an image as ``<out>/<stem>.png``; returns that path.

    Raises:
        UserError: The image cannot be read.
    """
    image = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"cannot read image '{source}': replace the file or remove it")
    path = out / f'{source.stem}.png'
    write_image(predictor.draw(image), path)
    return path


def draw_video(predictor: Predictor, source: Path, out: Path, track: Track) -> Path:
    """Draw the prediction of every frame as ``<out>/<stem>.mp4``; returns that path.

    Raises:
        UserError: The video cannot be read, or cannot be written on this machine.
    """
    video = cv2.VideoCapture(str(source))
    path = out / f'{source.stem}.mp4'
    partial = out / f'.{source.stem}.partial.mp4'
    writer = None
    try:
        for _ in track(range(int(video.get(cv2.CAP_PROP_FRAME_COUNT))), source.name):
            read, frame = video.read()
            if not read:  # containers count frames by their duration
                break
            drawn = predictor.draw(frame)
            if writer is None:
                writer = _open_writer(partial, video.get(cv2.CAP_PROP_FPS), drawn)
            writer.write(drawn)
        if writer is None:
            raise UserError(f"cannot read video '{source}': OpenCV finds no frames in it")
        writer.release()
        partial.replace(path)
    finally:
        video.release()
        if writer is not None:
            writer.release()
        partial.unlink(missing_ok=True)
    return path


def _open_writer(path: Path, rate: float, frame: np.ndarray) -> cv2.VideoWriter:
    codec = cv2.VideoWriter.fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, rate or 25, (frame.shape[1], frame.shape[0]))
    if not writer.isOpened():
        raise UserError(f"cannot write '{path}': this OpenCV has no MPEG-4 encoder")
    return writer
