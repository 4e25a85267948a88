"""Folders that are either complete or not there."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sacm_mm.core.errors import UserError

MARKER = '.sample_data.json'
"""File that says a folder was made here, and from which parameters."""

_VERSION = 1  # raise when the pictures change, so that old folders are made anew

Job = Callable[[Path], None]
"""Writes some files below the folder it is given."""

Track = Callable[[Sequence[Future[None]]], Iterable[Future[None]]]
"""Passes a sequence through and may report the progress, as `rich.progress.track` does."""


class Written(NamedTuple):
    """Where a set lies, and whether it was made now or found complete."""

    path: Path
    made: bool


def no_track(futures: Sequence[Future[None]]) -> Iterable[Future[None]]:
    """Report no progress."""
    return futures


def publish(
    target: Path, name: str, parameters: dict[str, object], jobs: Sequence[Job], track: Track
) -> Written:
    """Fill a folder with the files of `jobs`, all or none.

    A folder made before from the same parameters stays as it is; from others, it is replaced.

    Args:
        target: The folder.
        name: Name of the set, for the marker.
        parameters: What the files depend on.
        jobs: Run side by side; no two may write the same file.
        track: Wraps the loop over jobs.

    Raises:
        UserError: The folder exists and was not made here, or cannot be written.
    """
    marker = {'set': name, 'version': _VERSION, **parameters}
    try:
        if _is_complete(target, marker):
            return Written(target, made=False)
        created = _make_parents(target)
        sibling = Path(tempfile.mkdtemp(prefix=f'.{target.name}.', dir=target.parent))
        try:
            _run(jobs, sibling, track)
            files = sum(path.is_file() for path in sibling.rglob('*'))
            (sibling / MARKER).write_text(json.dumps({**marker, 'files': files}, indent=1) + '\n')
            sibling.chmod(0o755)  # mkdtemp makes it private
            _swap(sibling, target)
        except BaseException:
            shutil.rmtree(sibling, ignore_errors=True)
            for folder in created:
                folder.rmdir()
            raise
    except OSError as error:
        why = error.strerror or error
        raise UserError(f'cannot write {target}: {why}; choose another folder') from error
    return Written(target, made=True)


def _is_complete(target: Path, marker: dict[str, object]) -> bool:
    """Tell whether there is nothing to do.

    Raises:
        UserError: The folder belongs to somebody else.
    """
    if not target.exists():
        return False
    try:
        found = json.loads((target / MARKER).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if target.is_dir() and not any(target.iterdir()):
            return False
        raise UserError(
            f'{target} exists and is not sample data; move it away or choose another folder'
        ) from None
    files = sum(path.is_file() for path in target.rglob('*')) - 1
    return found == {**marker, 'files': files}


def _make_parents(target: Path) -> list[Path]:
    """Make the folders above `target`; returns the new ones, innermost first."""
    missing = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _run(jobs: Sequence[Job], folder: Path, track: Track) -> None:
    """Run the jobs in threads; the first failure stops the rest and is raised."""
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(job, folder) for job in jobs]
        try:
            for future in track(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _swap(sibling: Path, target: Path) -> None:
    """Put the finished folder in place of an older one of ours, an empty one or none."""
    old = sibling.with_name(sibling.name + '.old')
    if target.exists():
        target.rename(old)
    try:
        sibling.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
