"""Write the kinds of files that data sets consist of."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def turn(names: Iterable[str], index: int) -> str:
    """Take names in turn, so that all are equally frequent."""
    ordered = list(names)
    return ordered[index % len(ordered)]


def photo(path: Path, image: np.ndarray, quality: int = 92) -> None:
    """Write an RGB picture (H, W, 3) uint8 in the format of the file name; `quality` of a JPEG."""
    save(path, image[..., ::-1], quality)


def save(path: Path, pixels: np.ndarray, quality: int = 92) -> None:
    """Write pixels as OpenCV has them (grey or BGR); unlike cv2.imwrite, raise when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_jpeg = path.suffix in ('.jpg', '.JPEG')
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if is_jpeg else []
    _, data = cv2.imencode(path.suffix, pixels, options)
    path.write_bytes(data.tobytes())


def palette_mask(path: Path, labels: np.ndarray) -> None:
    """Write labels (H, W) uint8 as a PNG with the PASCAL VOC palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(labels)
    mask.putpalette(voc_palette())
    mask.save(path)


def voc_palette() -> list[int]:
    """The 256 colours of PASCAL VOC, as 768 numbers: the bits of the index, dealt to r, g, b."""
    colours = []
    for index in range(256):
        for channel in range(3):
            bits = (index >> (3 * place + channel) & 1 for place in range(3))
            colours.append(sum(bit << (7 - place) for place, bit in enumerate(bits)))
    return colours


def text_file(name: str, text: str, folder: Path) -> None:
    """Write a text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
