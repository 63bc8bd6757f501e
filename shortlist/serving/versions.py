"""Folder of served versions, and the atomic push of a model with its exact copy.

    <serving_dir>/<version>/          the model
    <serving_dir>/versions.json       the last version number that was ever used
    <serving_dir>-exact/<version>/    its exact copy, complete before the model arrives

Each version has `assets.extra/files.json`, its manifest.

All other names begin with a dot. TF Serving takes a folder for a version only if its name is a number.
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
from shortlist.serving import manifest

VERSIONS_FILE = "versions.json"
_LAST_VERSION = "last_version"
_LOCK_FILE = ".push.lock"
_STAGING = ".staging-"
_DELETED = ".deleted-"
# TF Serving reads versions as int64 and ignores folders with larger numbers.
_MAX_VERSION = 2**63 - 1


def exact_dir(serving_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the folder of the exact copies of the models in `serving_dir`."""
    path = pathlib.Path(serving_dir)
    return path.with_name(path.name + "-exact")


def versions(serving_dir: str | os.PathLike[str]) -> list[int]:
    """Returns the versions in a folder, the oldest first; none if the folder does not exist."""
    try:
        entries = list(os.scandir(serving_dir))
    except FileNotFoundError:
        return []
    return sorted(int(entry.name) for entry in entries if _is_version(entry.name) and entry.is_dir())


def served_version(serving_dir: str | os.PathLike[str]) -> int | None:
    """Returns the served version, which is the newest; None if nothing was pushed."""
    return max(versions(serving_dir), default=None)


def missing_files(version_dir: str | os.PathLike[str]) -> list[str]:
    """Returns the files of a pushed model that a folder lacks; it checks names and sizes and loads nothing."""
    folder = pathlib.Path(version_dir)
    needed = ("saved_model.pb", "variables/variables.index", "variables/variables.data-*", TRAINED_FILE, INDEX_FILE)
    return [name for name in needed if not any(file.stat().st_size for file in folder.glob(name))]


def find_damage(version_dir: str | os.PathLike[str], with_variables: bool = False) -> str | None:
    """Returns how a pushed version differs from what was pushed, as the end of "got ..."; None if it does not.

    It loads nothing. See `manifest.find_damage` for `with_variables` and errors.
    """
    for name in missing_files(version_dir):
        return f"no {name}, or an empty one"
    return manifest.find_damage(pathlib.Path(version_dir), with_variables)


def push(
    model_dir: str | os.PathLike[str],
    exact_model_dir: str | os.PathLike[str],
    serving_dir: str | os.PathLike[str],
    keep_versions: int,
    now: Callable[[], float] = time.time,
    announce: Callable[[int], None] = lambda version: None,
) -> int:
    """Makes a model and its exact copy the newest version, and deletes the oldest ones.

    Both are copied beside their destination and then renamed, the exact copy first. Servers switch when the model is
    renamed. A failure before that leaves the served version unchanged and no other files.

    Args:
      model_dir: A SavedModel.
      exact_model_dir: Its exact copy.
      serving_dir: Folder of versions, on one file system with an atomic rename.
      keep_versions: Number of newest versions to keep, 1 or more.
      now: The clock, seconds since 1970.
      announce: Called with the version just before the renames. A caller can record it, and after a crash check whether
        they were done. An exception from it stops the push.

    Returns:
      The new version: the time in seconds, or the last version that was ever used plus one.

    Raises:
      DataError: `versions.json` is damaged.
      OSError: The file system failed.
    """
    serving_dir = pathlib.Path(serving_dir)
    exact_root = exact_dir(serving_dir)
    serving_dir.mkdir(parents=True, exist_ok=True)
    exact_root.mkdir(parents=True, exist_ok=True)
    with _lock(serving_dir):
        _clean_up(serving_dir, exact_root)
        version = max(int(now()), _last_version(serving_dir, exact_root) + 1)
        # The number is reserved before the copies, so that no later push uses it again after a crash.
        _reserve(serving_dir, version)
        with _staged(exact_model_dir, exact_root) as staged_exact, _staged(model_dir, serving_dir) as staged:
            model, exact = serving_dir / str(version), exact_root / str(version)
            announce(version)
            try:
                _rename(staged_exact, exact)
                _rename(staged, model)
            except BaseException:
                # An interrupt may come after the model was renamed. Its exact copy must then stay.
                if not model.exists():
                    with contextlib.suppress(OSError):
                        _delete(exact)
                raise
        for old in versions(serving_dir)[:-keep_versions]:
            # The push is complete, so a failed deletion is no error. The next push tries again.
            with contextlib.suppress(OSError):
                _delete(serving_dir / str(old))
                _delete(exact_root / str(old))
    return version


def _is_version(name: str) -> bool:
    # `isdigit` also accepts digits of other scripts, and int() accepts leading zeros.
    return name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= _MAX_VERSION


@contextlib.contextmanager
def _lock(serving_dir: pathlib.Path) -> Iterator[None]:
    """Locks the folder for one push at a time; the system frees the lock when the process dies."""
    with open(serving_dir / _LOCK_FILE, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clean_up(serving_dir: pathlib.Path, exact_root: pathlib.Path) -> None:
    """Deletes leftovers of earlier pushes, also exact copies without a model; the next push retries failures."""
    for folder in (serving_dir, exact_root):
        for prefix in (_STAGING, _DELETED):
            for leftover in folder.glob(prefix + "*"):
                shutil.rmtree(leftover, ignore_errors=True)
    for orphan in set(versions(exact_root)).difference(versions(serving_dir)):
        with contextlib.suppress(OSError):
            _delete(exact_root / str(orphan))


def _last_version(serving_dir: pathlib.Path, exact_root: pathlib.Path) -> int:
    """Returns the last version ever used, including deleted ones; a client may have cached any of them."""
    path = serving_dir / VERSIONS_FILE
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))[_LAST_VERSION]
    except FileNotFoundError:
        recorded = 0
    except (ValueError, TypeError, KeyError):
        recorded = None
    # isinstance would also accept a bool.
    if type(recorded) is not int or not 0 <= recorded < _MAX_VERSION:
        raise DataError(
            f'{path}: expected {{"{_LAST_VERSION}": N}} with the last version ever used; '
            "restore it, or delete it if no newer version than those in the folder was ever served"
        )
    return max([recorded, *versions(serving_dir), *versions(exact_root)])


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
    """Copies a folder beside its destination, and deletes the copy if it was not renamed to it."""
    staged = folder / f"{_STAGING}{uuid.uuid4().hex}"
    try:
        shutil.copytree(source, staged)
        manifest.write(staged)
        _sync_tree(staged)
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _sync_tree(folder: pathlib.Path) -> None:
    """Flushes a folder to disk; otherwise a power cut could keep a rename and lose the content of its files."""
    for directory, _, names in os.walk(folder):
        for name in names:
            _sync(os.path.join(directory, name))
        _sync_folder(directory)


def _sync_folder(folder: str | os.PathLike[str]) -> None:
    """Flushes a folder's names to disk, if the file system can."""
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
    """Deletes a version; for readers it disappears in one step."""
    if version_dir.exists():
        # A rename is atomic; the deletion of a large folder is not.
        deleted = version_dir.with_name(f"{_DELETED}{version_dir.name}-{uuid.uuid4().hex}")
        os.rename(version_dir, deleted)
        shutil.rmtree(deleted, ignore_errors=True)
