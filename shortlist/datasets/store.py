"""Keeps data sets in the data folder: verified, written whole or not at all."""

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

from shortlist.datasets.parquet import rows_sha256
from shortlist.datasets.types import PART_SUFFIX, Context, DataSet, FetchResult, File, Progress, Source, SourceError
from shortlist.errors import DataError

SOURCE_FILE = "SOURCE.json"

_SCRATCH = ".fetch"
_UNKNOWN_SOURCE = "unknown: the files were there already"


def default_data_dir() -> pathlib.Path:
    """Returns the folder of all data sets: SHORTLIST_DATA_DIR, else `data` in the current folder."""
    return pathlib.Path(os.environ.get("SHORTLIST_DATA_DIR") or "data")


def fetch_data_set(data_set: DataSet, data_dir: pathlib.Path, progress: Progress) -> FetchResult:
    """Returns where a data set's files are, getting them first unless they are there and right.

    Args:
      data_set: What to get; its sources are tried in order.
      data_dir: Folder of all data sets; made if it is not there.
      progress: Told what goes on.

    Raises:
      DataError: No source gave the data, or the folder cannot be written.
    """
    started = time.monotonic()
    folder = data_dir / data_set.folder
    source, fetched = _recorded_source(folder), False
    if not _is_verified(folder, data_set):
        try:
            with _scratch(data_dir, data_set) as scratch:
                if not _is_verified(folder, data_set):  # Another process may have been at it.
                    fetched = True
                    name, built = _first_that_works(data_set, Context(data_dir, scratch, progress))
                    _write(folder, built | {SOURCE_FILE: _source_json(data_set, name)}, scratch)
                source = _recorded_source(folder)
        except OSError as error:
            raise DataError(
                f"{folder} cannot be written ({error}); free the space, or name another folder by SHORTLIST_DATA_DIR"
            ) from error
    return FetchResult(data_set.name, folder, source, fetched, data_set.files, time.monotonic() - started)


def _is_verified(folder: pathlib.Path, data_set: DataSet) -> bool:
    return all(
        (folder / name).is_file() and _sha256((folder / name).read_bytes(), file) == file.sha256
        for name, file in data_set.files.items()
    )


def _first_that_works(data_set: DataSet, context: Context) -> tuple[str, dict[str, bytes]]:
    """Returns the name of the first source that gives the pinned files, and the files."""
    reasons = []
    for source in data_set.sources:
        context.progress(f"{data_set.name}: from {source.name}")
        try:
            return source.name, _built(source, data_set, context)
        except SourceError as error:
            reasons.append(f"{source.name}: {error}")
            context.progress(f"{data_set.name}: {source.name}: {error}")
    remedy = data_set.remedy.format(data_dir=context.data_dir.absolute())
    raise DataError(f"{data_set.name} could not be had from any source ({'; '.join(reasons)}); {remedy}")


def _built(source: Source, data_set: DataSet, context: Context) -> dict[str, bytes]:
    built = source.build(context)
    for name, file in data_set.files.items():
        got = _sha256(built[name], file)
        if got != file.sha256:
            what = f"SHA-256 of its {file.pins} {str(got)[:12]}..., expected {file.sha256[:12]}..."
            raise SourceError(f"gave another {name} ({what})")
    return built


def _write(folder: pathlib.Path, contents: Mapping[str, bytes], scratch: pathlib.Path) -> None:
    """Puts a folder of the given files into place."""
    build = scratch / "build"
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir()
    for name, content in contents.items():
        (build / name).write_bytes(content)
    if not folder.exists():
        build.rename(folder)
        return
    # File by file where the folder is there: what else somebody keeps in it is theirs.
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
    """Yields this process's working folder for a data set; a second process waits for its turn.

    It is on the data folder's file system, so that a rename out of it is atomic. After a failure only what was
    downloaded stays in it.
    """
    scratch = data_dir / _SCRATCH / data_set.folder
    scratch.mkdir(parents=True, exist_ok=True)
    done = False
    with (scratch / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch.mkdir(parents=True, exist_ok=True)  # The process before us has removed it.
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
        with contextlib.suppress(OSError):  # Not empty: something is kept, or another data set is being fetched.
            folder.rmdir()


def _sha256(content: bytes, file: File) -> str | None:
    """Returns the SHA-256 of what `file` pins; None where these are rows and `content` is no table."""
    return rows_sha256(content) if file.pins == "rows" else hashlib.sha256(content).hexdigest()
