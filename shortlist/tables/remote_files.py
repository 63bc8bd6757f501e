"""Listing and opening of files at a URI, through Beam's file systems, with a time limit and plain errors.

Beam is imported inside of the functions: the import takes seconds, and local files do not need it.
"""

from __future__ import annotations

import functools
import glob
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

from shortlist.errors import DataError
from shortlist.secrets import redacted

# Beam's Google client retries for 133 seconds without a network.
ANSWER_SECONDS = 45.0

_Answer = TypeVar("_Answer")


def open_for_reading(uri: str) -> BinaryIO:
    """Opens a file for reading bytes, seekable, not decompressed.

    Raises:
      OSError: The file no longer exists, or cannot be read.
    """
    from apache_beam.io.filesystem import CompressionTypes

    return cast(BinaryIO, _file_systems().open(uri, compression_type=CompressionTypes.UNCOMPRESSED))


def list_files(path: str, start: str, head: str, maybe_a_file: bool) -> list[tuple[str, int]]:
    """Returns the URI and the size in bytes of every file below a folder.

    Args:
      path: Path as in the config, for errors.
      start: URI of the folder.
      head: Beginning of the names to list. It only saves time; a file system may return other names, too.
      maybe_a_file: Whether `start` may be a file. If it is one, it is the only result.

    Raises:
      DataError: No file system here supports the URI, or it does not answer in time.
    """
    from apache_beam.io.filesystem import BeamIOError, FileSystem

    _check_credentials(path, start)
    below = f"{glob.escape(start)}/{glob.escape(head)}**"
    try:
        match = _file_systems().match
        results = []
        if maybe_a_file:
            results = _within_time(path, lambda: match([glob.escape(start)]))
        if not any(result.metadata_list for result in results):
            # A long listing may take longer than the limit. One entry is enough to see that the server answers.
            _within_time(path, lambda: match([below], limits=[1]))
            results = match([below])
        return [(file.path, int(file.size_in_bytes)) for result in results for file in result.metadata_list]
    except BeamIOError as error:
        raise _unreachable(path, _reason(error)) from None
    except ValueError as error:
        scheme, _, _ = start.partition("://")
        if scheme in {system.scheme() for system in FileSystem.get_all_subclasses()}:
            raise _unreachable(path, str(error)) from None
        raise _unreachable(path, f"no file system for {scheme}://") from None


def _file_systems() -> Any:
    """Returns Beam's FileSystems, with empty options if none are set. Beam's workers have set them already."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


def _check_credentials(path: str, uri: str) -> None:
    """Refuses a Google bucket without credentials, because Beam would search for them for half a minute."""
    if not uri.startswith("gs://") or os.environ.get("STORAGE_EMULATOR_HOST"):
        return
    import google.auth
    from google.auth import exceptions

    try:
        google.auth.default()
    except exceptions.GoogleAuthError as error:
        raise DataError.from_parts(
            path,
            "Google Cloud credentials",
            str(error).partition(".")[0],
            "run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or mount the "
            "bucket and use its local path",
        ) from None


def _within_time(path: str, ask: Callable[[], _Answer]) -> _Answer:
    """Returns the answer of a file system.

    Args:
      path: Path as in the config, for errors.
      ask: Sends the request. It runs in a daemon thread, because a hanging request cannot be cancelled.

    Raises:
      DataError: There is no answer within `ANSWER_SECONDS`.
    """
    answers: queue.Queue[Callable[[], _Answer]] = queue.Queue()

    def wait() -> None:
        try:
            answer = ask()
            answers.put(lambda: answer)
        except Exception as error:
            answers.put(functools.partial(_raise, error))

    threading.Thread(target=wait, daemon=True).start()
    try:
        return answers.get(timeout=ANSWER_SECONDS)()
    except queue.Empty:
        raise _unreachable(path, f"no answer within {ANSWER_SECONDS:.0f} seconds") from None


def _raise(error: Exception) -> NoReturn:
    raise error


def _reason(error: BaseException) -> str:
    """Returns the innermost message; each layer of Beam wraps the error of the layer below."""
    details = getattr(error, "exception_details", None)
    if isinstance(details, dict) and details:
        return _reason(next(iter(details.values())))
    return redacted(" ".join(str(error).split()))[:200] or type(error).__name__


def _unreachable(path: str, reason: str) -> DataError:
    return DataError.from_reason(
        path,
        "a file system that answers",
        reason,
        "check the address, the credentials and the network; s3 needs apache-beam[aws] and azfs "
        "apache-beam[azure]; mount other file systems and use a local path",
    )
