"""onnxruntime-web: what runs networks in browsers, fetched by npm once and kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder
from sacm_mm.core.machine import cache_folder

VERSION = '1.30.0'
_SHA256 = 'd2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71'
CODE, WASM = 'ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'
_TIMEOUT_S = 300


def find_web_runtime(path: str | Path | None = None) -> Path:
    """Return a folder with onnxruntime-web's ``CODE`` and ``WASM``.

    Args:
        path: The unpacked npm package, its ``dist`` or a folder with the two files; by default the
            cache, which npm fills when it is empty.

    Raises:
        UserError: The folder has not got them, or npm is not installed or finds nothing.
    """
    if path is not None:
        for folder in (Path(path), Path(path, 'dist'), Path(path, 'package/dist')):
            if (folder / CODE).is_file() and (folder / WASM).is_file():
                return folder
        raise UserError(f"'{path}' is not onnxruntime-web: it has no {CODE} and {WASM}")
    cached = cache_folder() / f'onnxruntime-web-{VERSION}'
    if not cached.is_dir():
        _fetch(cached)
    return cached


def _fetch(folder: Path) -> None:
    npm = shutil.which('npm')
    if npm is None:
        raise UserError(
            'a page needs onnxruntime-web, which npm fetches, but npm is not installed: install '
            'Node.js, or name a folder with the package by --web-runtime'
        )
    with tempfile.TemporaryDirectory() as work:
        command = [npm, 'pack', '--silent', f'onnxruntime-web@{VERSION}']
        try:
            done = subprocess.run(
                command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT_S
            )
        except subprocess.TimeoutExpired as error:
            raise UserError(f'npm did not fetch onnxruntime-web in {_TIMEOUT_S} s') from error
        archives = list(Path(work).glob('*.tgz'))
        if done.returncode or not archives:
            last = (done.stderr.strip().splitlines() or ['no reason given'])[-1]
            raise UserError(
                f'npm does not fetch onnxruntime-web {VERSION} ({last}): connect to the network, '
                'or name a folder with the package by --web-runtime'
            )
        if hashlib.sha256(archives[0].read_bytes()).hexdigest() != _SHA256:
            raise UserError(
                f'what npm fetched is not onnxruntime-web {VERSION} as it was published'
            )
        with tarfile.open(archives[0]) as archive, publish_folder(folder) as partial:
            for name in (CODE, WASM):
                member = archive.extractfile(f'package/dist/{name}')
                assert member is not None  # the checksum says what is in it
                (partial / name).write_bytes(member.read())
