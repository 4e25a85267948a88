"""Read pictures of any kind: any suffix, one to many channels, 8 bits, 16 bits or floats.

The hosts read with OpenCV, which cuts 16 bits to 8 and drops what is beyond three channels.
"""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from sacm_mm.core.errors import UserError, one_line

SUFFIXES = (
    '.bmp', '.gif', '.jfif', '.jpeg', '.jpg', '.npy', '.png', '.tif', '.tiff', '.webp'
)  # fmt: skip
# what the hosts' loaders read, with every version of OpenCV
PLAIN_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix not in ('.gif', '.npy'))
# pictures that nothing here reads, which are named and not passed over
UNREAD_SUFFIXES = (
    '.arw', '.avif', '.cr2', '.cr3', '.dng', '.exr', '.hdr', '.heic', '.heif', '.jp2', '.jxl',
    '.nef', '.orf', '.pbm', '.pgm', '.pnm', '.ppm', '.raf', '.rw2',
)  # fmt: skip
_MAX_CHANNELS = 64
_PNG = b'\x89PNG\r\n\x1a\n'


def find_pictures(folder: Path, skip: Sequence[Path] = ()) -> list[Path]:
    """List the pictures of a folder and of those in it, sorted; hidden folders are left out.

    Args:
        folder: Where to look.
        skip: Folders in it that are left out.
    """
    found = find_files(folder, SUFFIXES)
    return [path for path in found if not any(path.is_relative_to(other) for other in skip)]


def find_files(folder: Path, suffixes: tuple[str, ...] = ('',)) -> list[Path]:
    """List the files with these suffixes, in any case, in a folder, those in it, and linked ones.

    What is hidden is left out, such as what macOS puts into archives (``._a.json``).
    """
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        here = Path(root).resolve()
        folders[:] = [
            name
            for name in folders  # a link to a folder above would lead around in a circle
            if name[0] != '.' and not here.is_relative_to(Path(root, name).resolve())
        ]
        names = [name for name in names if name[0] != '.' and name.lower().endswith(suffixes)]
        found += [path for name in names if (path := Path(root, name)).is_file()]
    return sorted(found)


@contextmanager
def unreadable(what: str, fix: str) -> Iterator[None]:
    """Name the file that a decoder fails on, and what to do with it.

    Raises:
        UserError: Whatever is raised; our own pass.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each decoder has exceptions of its own
        raise UserError(f'cannot read {what} ({one_line(error, 120)}): {fix}') from error


def read_picture(path: str | Path) -> np.ndarray:
    """Read a picture (H, W, C), upright; colours are in the order of the file, so RGB.

    Returns:
        uint8, uint16 or float32: 8 and 16 bits stay what they are, the rest becomes float32. Black
        and white of one bit is 0 and 255.

    Raises:
        UserError: The file is missing, damaged or truncated, or its channels cannot be told.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if path.suffix.lower() == '.npy':
            pixels = np.load(io.BytesIO(content), allow_pickle=False)
        elif path.suffix.lower() in ('.tif', '.tiff'):
            pixels = _read_tiff(content)
        elif content.startswith(_PNG) and content[24] == 16:
            pixels = _read_deep_png(content)
        else:
            pixels = _read_plain(content)
        # decoders of pictures say which side is the channels
        axes = '' if path.suffix.lower() == '.npy' else 'S'
        return _channels_last(_as_known_type(pixels), axes)
    except UserError as error:
        raise UserError(f"cannot read picture '{path}': {error}") from error
    except Exception as error:  # each decoder has exceptions of its own
        raise UserError(
            f"cannot read picture '{path}' ({one_line(error, 120)}): "
            'replace the file or take it out'
        ) from error


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of a picture of Pillow's as ``read_picture`` does those of a file."""
    return _channels_last(_as_known_type(_upright(image)), 'S')


def check_numbers(picture: np.ndarray, dtype: str | None, what: str) -> None:
    """Refuse other numbers than ``dtype``, and nan: networks turn them into any class."""
    if dtype is not None and picture.dtype != dtype:
        raise UserError(f'{what} is {picture.dtype}, but the network takes {dtype}: convert it')
    if np.issubdtype(picture.dtype, np.floating) and not np.isfinite(picture).all():
        raise UserError(f'{what} holds nan or infinity: fill these pixels or take it out')


def to_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """Bring a picture (H, W, C) to a number of channels where nothing but alpha is lost.

    Grey becomes colour by repetition; alpha is dropped; colours become grey by their luma.

    Raises:
        UserError: There is no such way.
    """
    found = picture.shape[2]
    if found == channels:
        return picture
    if channels == 3 and found in (1, 2):
        return np.repeat(picture[..., :1], 3, axis=2)
    if (found, channels) in ((4, 3), (2, 1)):
        return picture[..., :channels]
    if channels == 1 and found in (3, 4):
        luma = picture[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        if np.issubdtype(picture.dtype, np.integer):
            luma = np.rint(luma)
        return luma.astype(picture.dtype)[..., None]
    raise UserError(f'it has {found} channels, but {channels} are needed: convert or remove it')


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """Make of any picture (H, W, C) one to look at: (H, W, 3), RGB uint8.

    Of many channels the first three are shown; what is not 8 bits is stretched between its 2nd and
    98th percentile.
    """
    shown = picture[..., :3] if picture.shape[2] >= 3 else np.repeat(picture[..., :1], 3, axis=2)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    values = np.nan_to_num(shown.astype(np.float32))
    low, high = np.percentile(values, (2, 98))
    return (np.clip((values - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)


def read_orientation(path: str | Path) -> int:
    """Return the EXIF orientation of a photo, 1 (upright) to 8; 1 where none is written down."""
    try:
        with Image.open(path) as image:
            return int(image.getexif().get(274, 1))
    except (OSError, ValueError, TypeError):
        return 1


def turn_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn what was drawn on a photo as it is stored, (H, W), like ``read_picture`` turns it."""
    turned = _TURNS.get(orientation, lambda x: x)(pixels[..., None])[..., 0]
    return np.ascontiguousarray(turned)


def _read_plain(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # a truncated file is an error here; OpenCV would fill up with grey
        return _upright(image)


def _upright(image: Image.Image) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode == '1':
        upright = upright.convert('L')
    elif upright.mode == 'P':
        upright = upright.convert('RGBA' if 'transparency' in upright.info else 'RGB')
    elif upright.mode not in ('L', 'LA', 'RGB', 'RGBA', 'F') and upright.mode[0] != 'I':
        upright = upright.convert('RGB')  # CMYK, YCbCr, ...
    return np.asarray(upright)


def _read_deep_png(content: bytes) -> np.ndarray:
    """Read 16 bits a channel, of which Pillow keeps 8 for colours."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # OpenCV takes truncated files
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError('OpenCV cannot decode it')
    if pixels.ndim == 3:
        order = [2, 1, 0, 3][: pixels.shape[2]]  # BGR -> RGB
        pixels = pixels[..., order]
    return pixels


def _read_tiff(content: bytes) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        if getattr(page, 'photometric', None) in (3, 5, 6):  # palette, CMYK, YCbCr
            return _read_plain(content)
        try:
            pixels, axes = file.asarray(series=0), file.series[0].axes
        except ValueError as error:
            if 'imagecodecs' not in str(error):
                raise
            return _read_plain(content)  # Pillow brings LZW and others
    orientation = page.tags.get('Orientation')
    pixels = _channels_last(pixels, 'S' if axes.endswith('S') else '')
    if orientation is not None and int(orientation.value) in _TURNS:
        pixels = _TURNS[int(orientation.value)](pixels)
    return pixels


# what a TIFF's orientation asks for, (H, W, C) -> upright
_TURNS = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x),
}


def _as_known_type(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype in (np.uint8, np.uint16, np.float32):
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    if np.issubdtype(pixels.dtype, np.integer) or np.issubdtype(pixels.dtype, np.floating):
        low, high = pixels.min(initial=0), pixels.max(initial=0)
        if pixels.dtype in (np.int16, np.int32) and low >= 0 and high <= 65535:
            return pixels.astype(np.uint16)  # how Pillow hands on 16 bits
        return pixels.astype(np.float32)
    raise UserError(f'it holds {pixels.dtype} numbers: save it as integers or floats')


def _channels_last(pixels: np.ndarray, axes: str = '') -> np.ndarray:
    """Bring (H, W), (H, W, C) or (C, H, W) to (H, W, C); the smallest side is the channels."""
    while pixels.ndim > 3 and 1 in pixels.shape:
        pixels = pixels.squeeze(pixels.shape.index(1))
    if pixels.ndim == 2:
        return pixels[..., None]
    if pixels.ndim != 3:
        raise UserError(f'its shape {pixels.shape} is no picture: save one picture a file')
    if not axes and pixels.shape[0] < min(pixels.shape[1:]):
        pixels = pixels.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
    if pixels.shape[2] > _MAX_CHANNELS:
        raise UserError(
            f'its shape {pixels.shape} does not tell the channels: save it as (H, W, C) or '
            f'(C, H, W) with at most {_MAX_CHANNELS} channels'
        )
    return pixels
