"""Files at a URI, through Beam's file systems: listed and opened, or refused in one sentence, soon.

Beam is imported where it is used: it takes seconds, and local files do without.
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

# Beam's Google client keeps trying for 133 seconds where there is no network.
ANSWER_SECONDS = 45.0

_Answer = TypeVar("_Answer")


def open_for_reading(uri: str) -> BinaryIO:
    """Opens a file for reading bytes, seekable, not decompressed.

    Raises:
      OSError: It has gone, or may not be read.
    """
    from apache_beam.io.filesystem import CompressionTypes

    return cast(BinaryIO, _file_systems().open(uri, compression_type=CompressionTypes.UNCOMPRESSED))


def listed(path: str, start: str, head: str, maybe_a_file: bool) -> list[tuple[str, int]]:
    """Returns the URI and bytes of every file below a folder.

    Args:
      path: What errors call it.
      start: URI of the folder.
      head: Only names that begin so; a file system may return others, too.
      maybe_a_file: `start` may be a file, which is then all that is returned.

    Raises:
      DataError: Nothing here can open this kind of URI, or nothing answers in time.
    """
    from apache_beam.io.filesystem import BeamIOError, FileSystem

    _check_credentials(path, start)
    below = f"{glob.escape(start)}/{glob.escape(head)}**"
    try:
        match = _file_systems().match
        found = _answer(path, lambda: match([glob.escape(start)])) if maybe_a_file else []
        if not any(one.metadata_list for one in found):
            # How long all of them take depends on how many there are; the first one tells that somebody answers.
            _answer(path, lambda: match([below], limits=[1]))
            found = match([below])
        return [(metadata.path, int(metadata.size_in_bytes)) for one in found for metadata in one.metadata_list]
    except BeamIOError as error:
        raise _unreachable(path, _reason(error)) from None
    except ValueError as error:
        scheme, _, _ = start.partition("://")
        known = scheme in {system.scheme() for system in FileSystem.get_all_subclasses()}
        raise _unreachable(path, str(error) if known else f"no file system for {scheme}://") from None


def _file_systems() -> Any:
    """Returns Beam's FileSystems, ready to open what needs options; a worker has set them already."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    if FileSystems._pipeline_options is None:
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems


def _check_credentials(path: str, uri: str) -> None:
    """Refuses a Google bucket where there are no credentials: Beam would look for them for half a minute."""
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
            "bucket and give its local path",
        ) from None


def _answer(path: str, ask: Callable[[], _Answer]) -> _Answer:
    """Returns what a file system answers, if it does in time; a thread that still waits ends with the process."""
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
    """Returns the innermost message: each layer of Beam wraps the one below."""
    details = getattr(error, "exception_details", None)
    if isinstance(details, dict) and details:
        return _reason(next(iter(details.values())))
    return " ".join(str(error).split())[:200] or type(error).__name__


def _unreachable(path: str, reason: str) -> DataError:
    return DataError.from_reason(
        path,
        "a file system that answers",
        reason,
        "check the address, the credentials and the network; s3 needs apache-beam[aws] and azfs "
        "apache-beam[azure]; what Beam cannot open can be mounted and given as a local path",
    )
