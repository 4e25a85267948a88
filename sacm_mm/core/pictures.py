"""Whether a picture can be read, before a decoder is let loose on it."""

from __future__ import annotations

import stat
from pathlib import Path

from sacm_mm.core.errors import UserError

MOST_PIXELS = 2**29  # 23170 x 23170; as 8-bit RGB 1.5 GiB
_TAIL = 2**16  # bytes; some programs write notes of their own after a picture's end
_ENDS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND', 'MPO': b'\xff\xd9'}


def check_picture(path: str | Path) -> tuple[int, int]:
    """Look at a picture's header and its end, without decoding it.

    Decoders fill up what a half file lacks, wait for ever for a pipe, and take as much memory as a
    header says.

    Args:
        path: A file in any format that Pillow knows; others pass.

    Returns:
        Width and height in pixels, (0, 0) where the format is not known.

    Raises:
        UserError: It is missing, no regular file, empty, truncated, or larger than
            ``MOST_PIXELS``.
    """
    from PIL import Image, UnidentifiedImageError

    path = Path(path)
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"cannot read picture '{path}': {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"cannot read picture '{path}': it is no file (a pipe or a folder)")
    if not status.st_size:
        raise UserError(f"cannot read picture '{path}': the file is empty")
    # its own limit is lower and only warns up to twice that
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as picture:
            (width, height), kind = picture.size, picture.format
    except UnidentifiedImageError:
        return 0, 0
    except Exception as error:  # each format's reader has exceptions of its own
        raise UserError(f"cannot read picture '{path}': its header is damaged") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if width * height > MOST_PIXELS:
        raise UserError(
            f"picture '{path}' says that it is {width}x{height} pixels, more than {MOST_PIXELS}: "
            'cut it into parts'
        )
    if (end := _ENDS.get(kind or '')) and not _ends_with(path, status.st_size, end):
        raise UserError(f"picture '{path}' is truncated, its end is missing: take another copy")
    return width, height


def _ends_with(path: Path, size: int, end: bytes) -> bool:
    with path.open('rb') as file:
        file.seek(max(0, size - _TAIL))
        return end in file.read()
