"""Storage of data sets in the data folder, verified and written completely or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping

from shortlist.config.paths import local_folder
from shortlist.datasets.parquet import rows_sha256
from shortlist.datasets.types import PART_SUFFIX, Context, DataSet, FetchResult, File, Progress, Source, SourceError
from shortlist.errors import ConfigError, DataError

SOURCE_FILE = "SOURCE.json"

_SCRATCH = ".fetch"
_UNKNOWN_SOURCE = "unknown: the files were there already"


def default_data_dir() -> pathlib.Path:
    """Returns the folder of all data sets: SHORTLIST_DATA_DIR, else `data` in the current folder.

    Raises:
      ConfigError: SHORTLIST_DATA_DIR is a URI. Tables at a URI have it in their own paths.
    """
    folder = os.environ.get("SHORTLIST_DATA_DIR") or "data"
    try:
        return pathlib.Path(local_folder(folder))
    except ValueError as error:
        raise ConfigError(f"SHORTLIST_DATA_DIR: {error}, or give the tables' `path` as a URI") from None


def fetch_data_set(data_set: DataSet, data_dir: pathlib.Path, progress: Progress) -> FetchResult:
    """Returns the location of a data set's files. Missing or wrong files are downloaded first.

    Args:
      data_set: The data set; its sources are tried in order.
      data_dir: Folder of all data sets; created if it is missing.
      progress: Called with one line of text for the user at a time.

    Raises:
      DataError: All sources failed, or the folder cannot be written.
    """
    started = time.monotonic()
    for other in data_set.needs:
        fetch_data_set(other, data_dir, progress)
    folder = data_dir / data_set.folder
    source, fetched = _recorded_source(folder), False
    if not _is_verified(folder, data_set):
        try:
            with _scratch(data_dir, data_set) as scratch:
                if not _is_verified(folder, data_set):  # Another process may have fetched it in the meantime.
                    fetched = True
                    name, built = _build_from_any(data_set, Context(data_dir, scratch, progress))
                    _write(folder, built | {SOURCE_FILE: _source_json(data_set, name)}, scratch)
                source = _recorded_source(folder)
        except OSError as error:
            raise DataError(
                f"{folder} cannot be written ({error}); free space, or set SHORTLIST_DATA_DIR to another folder"
            ) from error
    seconds = time.monotonic() - started
    return FetchResult(data_set.name, folder, source, fetched, data_set.files, seconds, data_set.caveat(folder))


def _is_verified(folder: pathlib.Path, data_set: DataSet) -> bool:
    return all(
        (folder / name).is_file() and _sha256((folder / name).read_bytes(), file) == file.sha256
        for name, file in data_set.files.items()
    )


def _build_from_any(data_set: DataSet, context: Context) -> tuple[str, dict[str, bytes]]:
    """Returns the name of the first source with the pinned files, and the files."""
    reasons = []
    for source in data_set.sources:
        context.progress(f"{data_set.name}: from {source.name}")
        try:
            return source.name, _build(source, data_set, context)
        except SourceError as error:
            reasons.append(f"{source.name}: {error}")
            context.progress(f"{data_set.name}: {source.name}: {error}")
    remedy = data_set.remedy.format(data_dir=context.data_dir.absolute())
    raise DataError(f"{data_set.name} could not be fetched from any source ({'; '.join(reasons)}); {remedy}")


def _build(source: Source, data_set: DataSet, context: Context) -> dict[str, bytes]:
    """Returns a source's files after comparing them with the pinned checksums."""
    built = source.build(context)
    for name, file in data_set.files.items():
        got = _sha256(built[name], file)
        if got != file.sha256:
            checksums = f"SHA-256 of its {file.pins} {str(got)[:12]}..., expected {file.sha256[:12]}..."
            raise SourceError(f"gave another {name} ({checksums})")
    return built


def _write(folder: pathlib.Path, contents: Mapping[str, bytes], scratch: pathlib.Path) -> None:
    """Writes a data set's folder, in one step if it is new."""
    build = scratch / "build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    for name, content in contents.items():
        (build / name).write_bytes(content)
    if not folder.exists():
        build.rename(folder)
        return
    # An existing folder is updated file by file, because it may contain the user's own files.
    for name in contents:
        (build / name).replace(folder / name)


def _source_json(data_set: DataSet, source: str) -> bytes:
    facts: dict[str, object] = {"data_set": data_set.name, "source": source}
    facts["files"] = {
        name: {"rows": file.rows, "sha256": file.sha256, "sha256_of": file.pins}
        for name, file in data_set.files.items()
    }
    return (json.dumps(facts | dict(data_set.facts), indent=2, ensure_ascii=False) + "\n").encode()


def _recorded_source(folder: pathlib.Path) -> str:
    try:
        return str(json.loads((folder / SOURCE_FILE).read_text(encoding="utf-8"))["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return _UNKNOWN_SOURCE


@contextlib.contextmanager
def _scratch(data_dir: pathlib.Path, data_set: DataSet) -> Iterator[pathlib.Path]:
    """Yields the working folder for a data set, locked against other processes.

    It is on the data folder's file system, so that a rename out of it is atomic. After a failure, only partial
    downloads stay in it.
    """
    scratch = data_dir / _SCRATCH / data_set.folder
    scratch.mkdir(parents=True, exist_ok=True)
    done = False
    with (scratch / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch.mkdir(parents=True, exist_ok=True)  # The previous holder of the lock may have removed it.
        try:
            yield scratch
            done = True
        finally:
            _tidy(scratch, keep_parts=not done)


def _tidy(scratch: pathlib.Path, keep_parts: bool) -> None:
    for path in scratch.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != PART_SUFFIX or not keep_parts:
            path.unlink(missing_ok=True)
    for folder in (scratch, scratch.parent):
        with contextlib.suppress(OSError):  # Not empty: a partial download, or a fetch of another data set.
            folder.rmdir()


def _sha256(content: bytes, file: File) -> str | None:
    """Returns the SHA-256 of the rows or bytes that `file` pins; None if it pins rows and `content` is no table."""
    if file.pins == "rows":
        return rows_sha256(content, file.columns)
    return hashlib.sha256(content).hexdigest()
