"""Pictures that no decoder should see."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from torture.hostile_data import Case, Write

_SIDE = 60_000


def files(stock: Path) -> Iterator[Case]:
    """Yield what is written, and the command that is to read it."""
    model = stock / 'segmentation'
    for name, write in _pictures().items():
        for suffix, arguments in (
            (', predicted alone', ['predict', 'd/photos/x.png', model, '--out', 'o']),
            (', predicted in a folder', ['predict', 'd/photos', model, '--out', 'o']),
            (' as a photo', ['data', 'folder', 'd/photos', 'd/masks', '--out', 'mine']),
            (' as a mask', ['data', 'folder', 'd/masks', 'd/photos', '--out', 'mine']),
        ):
            yield name + suffix, _in_a_set(stock, write), list(arguments)


def _in_a_set(stock: Path, write: Write) -> Write:
    def written(folder: Path, canary: Path, secret: Path) -> None:
        for kind in ('photos', 'masks'):
            (folder / 'd' / kind).mkdir(parents=True)
            for path in sorted((stock / kind).iterdir())[:4]:
                os.link(path, folder / 'd' / kind / path.name)
        os.link(stock / 'masks/0.png', folder / 'd/masks/x.png')
        write(folder / 'd/photos', canary, secret)

    return written


def _pictures() -> dict[str, Write]:
    big = struct.pack('>II', _SIDE, _SIDE)
    ifd = [(256, 4, 1, _SIDE), (257, 4, 1, _SIDE), (258, 3, 1, 8), (259, 3, 1, 1),
           (262, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, _SIDE), (279, 4, 1, 2**31)]  # fmt: skip
    tiff = struct.pack('<2sHIH', b'II', 42, 8, len(ifd))
    tiff += b''.join(struct.pack('<HHII', *entry) for entry in ifd) + bytes(4)
    bmp = struct.pack('<2sIIIIiiHHIIiiII', b'BM', 1000, 0, 54, 40, _SIDE, _SIDE, 1, 24, 0, 0, 0, 0,
                      0, 0)  # fmt: skip
    jpeg = b'\xff\xd8\xff\xc0' + struct.pack('>HBHHB', 11, 8, _SIDE, _SIDE, 1) + b'\x01\x11\x00'
    gif = b'GIF89a' + struct.pack('<HH', _SIDE, _SIDE) + b'\x80\x00\x00' + bytes(20)

    def content(data: bytes) -> Write:
        def write(folder: Path, canary: Path, secret: Path) -> None:
            (folder / 'x.png').write_bytes(data)

        return write

    def pipe(folder: Path, canary: Path, secret: Path) -> None:
        os.mkfifo(folder / 'x.png')

    def half(folder: Path, canary: Path, secret: Path) -> None:
        whole = (folder / '0.png').read_bytes()
        (folder / 'x.png').write_bytes(whole[: len(whole) // 2])

    def endless(folder: Path, canary: Path, secret: Path) -> None:
        (folder / 'x.png').symlink_to('/dev/zero')

    def named(folder: Path, canary: Path, secret: Path) -> None:
        os.link(folder / '0.png', folder / 'x.png')
        os.link(os.fsencode(folder / '0.png'), os.fsencode(folder) + b'/\xff\xfe.png')
        os.link(folder / '0.png', folder / 'a\nb.png')

    return {
        'a PNG of 3.6 Gpixels': content(_png(big, bytes(1000))),
        'a PNG whose rows unpack to 2 GB': content(_png(struct.pack('>II', 30, 30), None)),
        'a TIFF of 3.6 Gpixels': content(tiff),
        'a BMP of 3.6 Gpixels': content(bmp + bytes(1000)),
        'a JPEG of 3.6 Gpixels': content(jpeg + bytes(100) + b'\xff\xd9'),
        'a GIF of 3.6 Gpixels': content(gif + b';'),
        'a text that is called PNG': content(b'no picture'),
        'a pipe that is called PNG': pipe,
        'half a PNG': half,
        'a PNG that never ends': endless,
        'names that are not UTF-8 or have a line break': named,
    }


def _png(size: bytes, rows: bytes | None) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', check)

    if rows is None:
        packer = zlib.compressobj(9)
        packed = b''.join(packer.compress(bytes(2**24)) for _ in range(128)) + packer.flush()
    else:
        packed = zlib.compress(rows)
    header = size + struct.pack('>BBBBB', 8, 0, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', packed)
            + chunk(b'IEND', b''))  # fmt: skip
