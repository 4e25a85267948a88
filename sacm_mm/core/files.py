"""Files and folders that appear under their name when they are complete, or not at all.

Whatever this project writes goes through here: a kill, a full disk or a wrong value leaves what was
there before, and nothing that looks finished and is not.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import re
import shutil
import struct
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sacm_mm.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

_LEFTOVER = re.compile(r'\.(\d+)\.partial')
_POLL_S = 0.5
# of PyTorch's and OpenVINO's streams, and of safetensors
_WRITE_FAILURE = re.compile(
    r'iostream error|No space left|I/O error|failed writing file|unexpected pos \d+ vs'
)
_LARGE = 2**28  # bytes of a picture from which on it is written strip by strip
_STRIP = 256  # rows
_SMALL = 2**20  # bytes, less than any file of weights


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Give a path beside ``path``, with its suffix, to write to; then rename it into place.

    Args:
        path: File to write; its folder is made.

    Raises:
        UserError: The disk is full, the folder cannot be written, or ``path`` is a folder.
    """
    path = Path(path)
    _refuse_folder(path)
    with _failures_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        partial = _beside(path)
        try:
            yield partial
            _to_disk(partial)
            partial.replace(path)
            _to_disk(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def publish_folder(out: str | os.PathLike, overwrite: bool = False) -> Iterator[Path]:
    """Give a folder beside ``out`` to fill; then rename it into place.

    Args:
        out: Folder to make.
        overwrite: Replace a folder that is there; by default only an empty one is.

    Raises:
        UserError: ``out`` is there, or the disk is full or cannot be written.
    """
    out = Path(out)
    if not overwrite:
        check_new_folder(out)
    missing = [folder for folder in out.parents if not folder.exists()]
    with _failures_named(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        partial = _beside(out)
        partial.mkdir()
        try:
            yield partial
            for path in partial.rglob('*'):
                _to_disk(path)
            if out.exists():
                old = out.with_name(f'.{out.name}.old.{os.getpid()}.partial')
                out.replace(old)
                partial.replace(out)
                shutil.rmtree(old, ignore_errors=True)
            else:
                partial.replace(out)
            _to_disk(out.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            for folder in missing:  # the innermost first
                with suppress(OSError):
                    folder.rmdir()
            raise


def _beside(path: Path) -> Path:
    return path.with_name(f'.{path.stem}.{os.getpid()}.partial{path.suffix}')


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of the same file or folder."""
    remove_leftovers(path.parent, f'.{_escaped(path.stem)}.*.partial{_escaped(path.suffix)}')


def remove_leftovers(folder: Path, pattern: str = '.*.partial*') -> None:
    """Remove what killed processes have not finished in a folder."""
    for left in folder.glob(pattern):
        found = _LEFTOVER.search(left.name)
        if found and not Path('/proc', found.group(1)).exists():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _escaped(text: str) -> str:
    return re.sub(r'([*?[])', r'[\1]', text)


def _to_disk(path: Path) -> None:
    """Wait until a file or the list of a folder's files is on the disk, not only in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Say in one line that ``path`` cannot be written, and why."""
    try:
        yield
    except OSError as error:
        # what is read while it is written has its own name
        if (
            isinstance(error, FileNotFoundError)
            and Path(error.filename or '').parent != path.parent
        ):
            raise
        raise UserError(f"cannot write '{path}': {error.strerror or error}") from error
    except Exception as error:
        if not is_write_failure(error):
            raise
        full = shutil.disk_usage(_nearest(path)).free < _SMALL
        why = 'No space left on device' if full else str(error).strip().partition('\n')[0]
        raise UserError(f"cannot write '{path}': {why}") from error


def is_write_failure(error: BaseException) -> bool:
    """Tell whether a library of C++ or Rust means that it cannot write; it has its own errors."""
    return isinstance(error, OSError) or bool(_WRITE_FAILURE.search(str(error)))


def _nearest(path: Path) -> Path:
    """Return the nearest folder above that exists."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if place.exists()), path)


def write_bytes(content: bytes | memoryview, path: str | os.PathLike) -> None:
    """Write a file, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    write_bytes(text.encode(), path)


def write_json(content: Any, path: str | os.PathLike) -> None:
    """Write JSON, whole or not at all."""
    write_text(json.dumps(content, indent=2) + '\n', path)


def write_csv(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike) -> None:
    """Write rows, whole or not at all; a row's cell of a key that only others have is empty."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_write(path) as partial, partial.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, fieldnames=keys, lineterminator='\n')
        writer.writeheader()
        writer.writerows(rows)


def write_image(image: np.ndarray, path: str | os.PathLike, quality: int | None = None) -> None:
    """Write (H, W), (H, W, 3) in BGR or (H, W, 4), uint8 or uint16, in the format of the suffix.

    Args:
        image: The picture.
        path: File to write.
        quality: Of a WebP file, 1 to 100; by default nothing is lost. Other formats have none.

    Raises:
        UserError: It cannot be written, or not in that format.
    """
    import cv2
    import numpy as np

    path = Path(path)
    if image.dtype not in (np.uint8, np.uint16):
        raise TypeError(f'pictures are uint8 or uint16, not {image.dtype}: see fit_integers')
    if path.suffix == '.png' and image.nbytes > _LARGE:
        _write_large_png(image, path)
        return
    try:
        webp = path.suffix == '.webp'
        options = [cv2.IMWRITE_WEBP_QUALITY, quality] if quality and webp else []
        fine, encoded = cv2.imencode(path.suffix, image, options)
    except cv2.error as error:
        raise UserError(f"cannot write '{path}': no picture format '{path.suffix}'") from error
    if not fine:
        raise UserError(
            f"cannot write '{path}': {path.suffix} does not take {image.dtype} {image.shape}"
        )
    write_bytes(encoded.data, path)  # no copy: a huge picture takes gigabytes


def _write_large_png(image: np.ndarray, path: Path) -> None:
    """Write a picture strip by strip: OpenCV would need twice its size for the file it makes."""
    import numpy as np

    height, width = image.shape[:2]
    channels = 1 if image.ndim == 2 else image.shape[2]
    kind = {1: 0, 3: 2, 4: 6}[channels]  # grey, colours, colours and alpha
    bits = 8 * image.dtype.itemsize
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    compressor = zlib.compressobj(1)
    above = np.zeros(width * channels * image.dtype.itemsize, np.uint8)
    with atomic_write(path) as partial, partial.open('wb') as file:

        def write(name: bytes, content: bytes) -> None:
            checksum = zlib.crc32(name + content)
            file.write(struct.pack('>I', len(content)) + name + content)
            file.write(struct.pack('>I', checksum))

        file.write(b'\x89PNG\r\n\x1a\n')
        write(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, kind, 0, 0, 0))
        for top in range(0, height, _STRIP):
            strip = image[top : top + _STRIP].reshape(-1, width, channels)[..., order]
            content = strip.astype(image.dtype.newbyteorder('>')).tobytes()
            rows = np.frombuffer(content, np.uint8).reshape(len(strip), -1)
            # each row as the difference from the one above it (filter 2)
            lines = np.full((len(rows), 1 + rows.shape[1]), 2, np.uint8)
            lines[:, 1:] = rows - np.concatenate([above[None], rows[:-1]])
            above = rows[-1]
            write(b'IDAT', compressor.compress(lines.tobytes()))
        write(b'IDAT', compressor.flush())
        write(b'IEND', b'')


def fit_integers(values: np.ndarray, dtype: Any, name: str) -> np.ndarray:
    """Round values for a file of integers; they never wrap.

    Args:
        values: Any numbers.
        dtype: ``np.uint8`` or ``np.uint16``.
        name: What they are, for the message.

    Raises:
        UserError: One is not finite or is outside ``dtype``.
    """
    import numpy as np

    limit = np.iinfo(dtype).max
    whole = np.issubdtype(values.dtype, np.integer)
    rounded = values if whole else np.rint(values)
    # written so that nan does not pass, and without arrays of the size of a huge picture
    if rounded.size and not (rounded.min() >= 0 and rounded.max() <= limit):
        raise UserError(
            f'{name} reaches from {np.min(values):g} to {np.max(values):g} and does not fit '
            f'{np.dtype(dtype).name} (0 to {limit}): choose another scale'
        )
    return rounded.astype(dtype, copy=False)


def fit_classes(classes: np.ndarray, name: str = 'classes') -> np.ndarray:
    """Make classes, integers from 0, fit a file: 8 bits, or 16 if one is above 255.

    Raises:
        UserError: One is below 0 or above 65535; ``name`` says which picture's.
    """
    import numpy as np

    large = classes.max(initial=0) > np.iinfo(np.uint8).max
    return fit_integers(classes, np.uint16 if large else np.uint8, name)


def save_figure(
    figure: Figure, path: str | os.PathLike, dpi: int = 120, quality: int | None = None
) -> None:
    """Write a figure of Matplotlib, whole or not at all; the same picture is the same file.

    Args:
        figure: The figure.
        path: File whose suffix is the format.
        dpi: Pixels an inch.
        quality: Of a WebP file with photographs, 1 to 100; by default nothing is lost.
    """
    path = Path(path)
    kind = path.suffix[1:] or 'png'
    # no versions or dates
    metadata = {'png': {'Software': None}, 'svg': {'Date': None}}.get(kind)
    more: dict[str, Any] = {}
    if kind == 'webp':
        more['pil_kwargs'] = {'lossless': quality is None, 'quality': quality or 80, 'method': 6}
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=dpi, format=kind, metadata=metadata, **more)


def check_writable(folder: str | os.PathLike) -> None:
    """Make sure that ``folder`` can be made and written, without making it.

    Raises:
        UserError: It, or the nearest folder above that exists, is a file or not writable.
    """
    nearest = _nearest(Path(folder))
    if not nearest.is_dir():
        raise UserError(f"cannot write to '{folder}': '{nearest}' is a file, choose another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to '{folder}': no permission for '{nearest}'")


def check_writable_file(
    path: str | os.PathLike | None, suffixes: Sequence[str] = (), what: str = ''
) -> None:
    """Make sure that ``path`` can be written as a file, without writing it.

    Args:
        path: The file; None, of a flag that is not given, passes.
        suffixes: What its name may end in; by default anything.
        what: Which flag writes what, for the message.

    Raises:
        UserError: It is a folder, its folder is not writable, or its name ends in something else.
    """
    if path is None:
        return
    if suffixes and Path(path).suffix.lower() not in suffixes:
        raise UserError(f"{what}: let '{path}' end in {' or '.join(suffixes)}")
    _refuse_folder(Path(path))
    check_writable(Path(path).parent)


def check_new_folder(out: Path) -> None:
    """Make sure that a folder is not there yet, or is empty.

    Raises:
        UserError: It is in use.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"'{out}' exists and is not overwritten: remove it or choose another name")


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"cannot write '{path}': it is a folder, name a file")


def output_names(sources: Sequence[str | os.PathLike], suffix: str) -> dict[str, Path]:
    """Choose a file name for what is made of each source, so that no two are the same.

    Folders below the one that holds all sources are kept. ``a.jpg`` gives ``a.png``; where there is
    an ``a.bmp`` beside it, they give ``a.jpg.png`` and ``a.bmp.png``.

    Args:
        sources: Files, each once.
        suffix: Of the new files, such as ``'.png'``.

    Returns:
        By source as it is given, the relative path of the new file.
    """
    paths = {os.fspath(source): Path(source) for source in sources}
    if not paths:
        return {}
    root = os.path.commonpath([path.absolute().parent for path in paths.values()])
    inside = {source: path.absolute().relative_to(root) for source, path in paths.items()}
    long = {source: path.with_name(path.name + suffix) for source, path in inside.items()}
    short = {source: path.with_suffix(suffix) for source, path in inside.items()}
    # upper and lower case are one file on some disks; a short name may be another's long one
    taken = Counter(str(name).lower() for name in (*short.values(), *long.values()))
    return {s: long[s] if taken[str(short[s]).lower()] > 1 else short[s] for s in inside}


@contextmanager
def lock_folder(folder: str | os.PathLike, wait_s: float = 0.0) -> Iterator[IO]:
    """Hold a folder for one process; whoever inherits the file that is given holds it too.

    Args:
        folder: It is made if it is not there.
        wait_s: Seconds to wait for another process to leave it.

    Raises:
        UserError: Another process holds it.
    """
    folder = Path(folder)
    with _failures_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / '.lock').open('w')
    with file:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= until:
                    raise UserError(
                        f"another process works in '{folder}': wait for it, stop it, or choose "
                        'another folder'
                    ) from None
                time.sleep(_POLL_S)
        yield file
