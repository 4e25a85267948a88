"""Folders that are either complete or not there, and that never cost anybody else's files."""

import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import publish_folder

MARKER = '.sample_data.json'  # says what a folder was made of, and which files it has
_VERSION = 2  # raise when the pictures change, so that old folders are made anew

Job = Callable[[Path], Any]  # writes some files below the folder it is given
Track = Callable[[Sequence[Future]], Iterable[Future]]  # reports the progress


class Written(NamedTuple):
    """Where a set lies, and whether it was made now or found complete."""

    path: Path
    made: bool


def publish(
    target: Path,
    parameters: dict[str, Any],
    jobs: Sequence[Job],
    track: Track = iter,
    finish: Callable[[Path, list], None] = lambda folder, results: None,
) -> Written:
    """Fill a folder with the files of `jobs`, all or none.

    A folder made before from the same parameters stays as it is; from others, it is replaced, but
    only when it holds nothing else.

    Args:
        target: The folder.
        parameters: What the files depend on.
        jobs: Run side by side; no two may write the same file.
        track: Wraps the loop over jobs.
        finish: Called with the folder and what the jobs returned, in their order.

    Raises:
        UserError: The folder holds what was not made here, or cannot be written.
    """
    made_of = {'version': _VERSION, **parameters}
    found = _read(target)
    if found and found == {**made_of, 'files': _checksums(target)}:
        return Written(target, made=False)
    with publish_folder(target, overwrite=found is not None) as folder:
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(job, folder) for job in jobs]
            try:
                finish(folder, [future.result() for future in track(futures)])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        marker = {**made_of, 'files': _checksums(folder)}
        (folder / MARKER).write_text(json.dumps(marker, indent=1) + '\n')
    return Written(target, made=True)


def _read(target: Path) -> dict[str, Any] | None:
    """Read the marker of a folder that holds nothing but what was made here; None without one."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    try:
        found = json.loads((target / MARKER).read_text())
        foreign = _checksums(target).items() - found['files'].items()
    except AttributeError:  # a count of files, as the first version noted it
        raise UserError(f'{target} is of an older version; remove it') from None
    except (OSError, ValueError, KeyError):
        raise UserError(
            f'{target} exists and is not sample data; move it away or choose another folder'
        ) from None
    if foreign:
        raise UserError(
            f'{target} holds {min(foreign)[0]}, which is not sample data; move it away or choose '
            'another folder'
        )
    return found


def _checksums(folder: Path) -> dict[str, int]:
    """Map the files of a folder, but for the marker, to what tells their contents."""
    files = sorted(path for path in folder.rglob('*') if path.is_file() or path.is_symlink())
    names = [path for path in files if path != folder / MARKER]
    return {str(path.relative_to(folder)): zlib.crc32(path.read_bytes()) for path in names}
