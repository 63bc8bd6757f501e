"""Puts versions of a model and its exact twin where they are served from, so that a reader never sees half of one.

    <serving_dir>/<version>/          the model
    <serving_dir>/versions.json       the last version that was ever used
    <serving_dir>-exact/<version>/    its twin, complete before the model arrives

Everything else begins with a dot: TF Serving takes only names that are numbers for versions.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator

from shortlist.errors import DataError
from shortlist.model_files import INDEX_FILE, TRAINED_FILE

VERSIONS_FILE = "versions.json"
_LAST_VERSION = "last_version"
_LOCK_FILE = ".push.lock"
_STAGING = ".staging-"
_DELETED = ".deleted-"
# TF Serving reads versions as int64 and passes over folders with larger names.
_MAX_VERSION = 2**63 - 1


def exact_dir(serving_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Returns where the exact twins of the models in `serving_dir` stand."""
    path = pathlib.Path(serving_dir)
    return path.with_name(path.name + "-exact")


def versions(serving_dir: str | os.PathLike[str]) -> list[int]:
    """Returns the versions that stand in a folder, the oldest first; none if there is no such folder."""
    try:
        entries = list(os.scandir(serving_dir))
    except FileNotFoundError:
        return []
    return sorted(int(entry.name) for entry in entries if _is_version(entry.name) and entry.is_dir())


def served_version(serving_dir: str | os.PathLike[str]) -> int | None:
    """Returns the version that is served, the newest; None if nothing was pushed."""
    return max(versions(serving_dir), default=None)


def missing_files(version_dir: str | os.PathLike[str]) -> list[str]:
    """Returns what a folder lacks to be a model that Shortlist pushed; a look at names, nothing is loaded."""
    folder = pathlib.Path(version_dir)
    needed = ("saved_model.pb", "variables/variables.index", "variables/variables.data-*", TRAINED_FILE, INDEX_FILE)
    return [name for name in needed if not any(file.stat().st_size for file in folder.glob(name))]


def push(
    model_dir: str | os.PathLike[str],
    exact_model_dir: str | os.PathLike[str],
    serving_dir: str | os.PathLike[str],
    keep_versions: int,
    now: Callable[[], float] = time.time,
    announce: Callable[[int], None] = lambda version: None,
) -> int:
    """Makes a model and its twin the newest version, and deletes the oldest ones.

    Both are copied beside their destination and renamed into it, the twin first: the model's arrival is the switch.
    Whatever fails before that leaves what was served as it was, and nothing else.

    Args:
      model_dir: A SavedModel.
      exact_model_dir: Its twin.
      serving_dir: Folder of versions, on one file system that renames in one step.
      keep_versions: Newest versions kept, 1 or more.
      now: The clock, seconds since 1970.
      announce: Told of the version when only the renames are left to do, for whoever has to know after a death whether
        they were done; what it raises stops the push.

    Returns:
      The new version: the time in seconds, or one more than the last version that was ever used.

    Raises:
      DataError: `versions.json` was tampered with.
      OSError: The file system failed.
    """
    serving_dir = pathlib.Path(serving_dir)
    twins_dir = exact_dir(serving_dir)
    serving_dir.mkdir(parents=True, exist_ok=True)
    twins_dir.mkdir(parents=True, exist_ok=True)
    with _lock(serving_dir):
        _clean_up(serving_dir, twins_dir)
        version = max(int(now()), _last_version(serving_dir, twins_dir) + 1)
        _reserve(serving_dir, version)
        with _staged(exact_model_dir, twins_dir) as staged_twin, _staged(model_dir, serving_dir) as staged:
            model, twin = serving_dir / str(version), twins_dir / str(version)
            announce(version)
            try:
                _rename(staged_twin, twin)
                _rename(staged, model)
            except BaseException:
                # An interrupt may come after the model arrived: then its twin has to stay.
                if not model.exists():
                    with contextlib.suppress(OSError):
                        _delete(twin)
                raise
        for old in versions(serving_dir)[:-keep_versions]:
            # What matters has been done.
            with contextlib.suppress(OSError):
                _delete(serving_dir / str(old))
                _delete(twins_dir / str(old))
    return version


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= _MAX_VERSION


@contextlib.contextmanager
def _lock(serving_dir: pathlib.Path) -> Iterator[None]:
    """Keeps other pushes to the same folder waiting; the system frees it when the process dies."""
    with open(serving_dir / _LOCK_FILE, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clean_up(serving_dir: pathlib.Path, twins_dir: pathlib.Path) -> None:
    """Deletes what earlier pushes left, twins without a model among it; what resists is left to the next push."""
    for folder in (serving_dir, twins_dir):
        for prefix in (_STAGING, _DELETED):
            for left in folder.glob(prefix + "*"):
                shutil.rmtree(left, ignore_errors=True)
    for orphan in set(versions(twins_dir)).difference(versions(serving_dir)):
        with contextlib.suppress(OSError):
            _delete(twins_dir / str(orphan))


def _last_version(serving_dir: pathlib.Path, twins_dir: pathlib.Path) -> int:
    """Returns the last version that was ever used, deleted ones included; a client may have cached any of them."""
    path = serving_dir / VERSIONS_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))[_LAST_VERSION]
    except FileNotFoundError:
        said = 0
    except (ValueError, TypeError, KeyError):
        said = None
    # A bool is an int to isinstance.
    if type(said) is not int or not 0 <= said < _MAX_VERSION:
        raise DataError(
            f'{path}: expected {{"{_LAST_VERSION}": N}} with the last version ever used; '
            "restore it, or delete it if no newer version than those in the folder was ever served"
        )
    return max([said, *versions(serving_dir), *versions(twins_dir)])


def _reserve(serving_dir: pathlib.Path, version: int) -> None:
    path = serving_dir / VERSIONS_FILE
    partial = path.with_name(f".{path.name}.part")
    try:
        with open(partial, "w", encoding="utf-8") as file:
            json.dump({_LAST_VERSION: version}, file)
            file.flush()
            os.fsync(file.fileno())
        _rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _staged(source: str | os.PathLike[str], folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Copies a folder to beside where it will stand, and deletes the copy unless it was moved there."""
    staged = folder / f"{_STAGING}{uuid.uuid4().hex}"
    try:
        shutil.copytree(source, staged)
        _sync_tree(staged)
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _sync_tree(folder: pathlib.Path) -> None:
    """Writes a folder to the disk: after a power cut a rename may have happened and its files' content not."""
    for directory, _, names in os.walk(folder):
        for name in names:
            _sync(os.path.join(directory, name))
        _sync_folder(directory)


def _sync_folder(folder: str | os.PathLike[str]) -> None:
    """Writes a folder's names to the disk, which not every file system can do."""
    with contextlib.suppress(OSError):
        _sync(folder)


def _sync(path: str | os.PathLike[str]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(source: pathlib.Path, destination: pathlib.Path) -> None:
    os.rename(source, destination)
    _sync_folder(destination.parent)


def _delete(version_dir: pathlib.Path) -> None:
    """Deletes a version in one step as a reader sees it."""
    if version_dir.exists():
        gone = version_dir.with_name(f"{_DELETED}{version_dir.name}-{uuid.uuid4().hex}")
        os.rename(version_dir, gone)
        shutil.rmtree(gone, ignore_errors=True)
