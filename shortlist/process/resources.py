"""Recognises that disk or memory ran out, however deep under other exceptions, and says so in one sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import resource
import shutil
import tempfile
from collections.abc import Iterator

from shortlist.errors import ResourceError
from shortlist.process import causes

_ERRNOS = {errno.ENOSPC: "no space left", errno.EDQUOT: "no space left in the quota", errno.EFBIG: "file too large"}
# TensorFlow, ML Metadata's sqlite and Beam's workers tell it only in words.
_WORDS = {
    "No space left on device": "no space left",
    "database or disk is full": "no space left",
    # sqlite has then taken the transaction back by itself.
    "cannot commit - no transaction is active": "no space left",
    "Disk quota exceeded": "no space left in the quota",
    "File too large": "file too large",
}
# What TensorFlow's and C++'s allocators say; Python, numpy and Arrow raise MemoryError.
_MEMORY_WORDS = ("OOM when allocating", "std::bad_alloc", "Cannot allocate memory", "failed to allocate memory")


def find_shortage(error: BaseException, folder: pathlib.Path) -> ResourceError | None:
    """Returns the shortage that an exception comes from; None if it comes from none.

    Args:
      error: What was raised.
      folder: Where was being written, for exceptions that do not say.
    """
    for link in causes.chain(error):
        if isinstance(link, ResourceError):
            return link
        what = _disk_shortage(link)
        if what is not None:
            return ResourceError(_sentence(what, _place(link, folder)))
        if _memory_ran_out(link):
            return ResourceError(_memory_sentence())
    return None


@contextlib.contextmanager
def raises_resource_error(folder: pathlib.Path) -> Iterator[None]:
    """Raises a shortage of disk or memory within its body as a `ResourceError`, from the exception that shows it."""
    try:
        yield
    except Exception as error:
        shortage = find_shortage(error, folder)
        if shortage is None or shortage is error:
            raise
        raise shortage from error


def _disk_shortage(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return _ERRNOS[error.errno]
    said = str(error)
    return next((what for words, what in _WORDS.items() if words in said), None)


def _memory_ran_out(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    said = str(error)
    return any(words in said for words in _MEMORY_WORDS)


def _memory_sentence() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    limited = "" if limit == resource.RLIM_INFINITY else f", limited to {limit / 2**30:,.1f} GiB of addresses"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"memory ran out (this process had {peak:,.1f} GiB{limited}); nothing is lost: with more memory the same "
        "command goes on from what was finished, a training from its checkpoint; where it was the Trainer, a lower "
        "train.batch_size or train.loss.kind: in_batch needs less"
    )


def _place(error: BaseException, folder: pathlib.Path) -> pathlib.Path:
    """Returns the folder that is full: the one that the exception names, or the fuller of those that are written to."""
    named = getattr(error, "filename", None)
    if isinstance(named, str):
        return pathlib.Path(named).parent
    return min((folder, pathlib.Path(tempfile.gettempdir())), key=_free_bytes)


def _sentence(what: str, folder: pathlib.Path) -> str:
    return (
        f"{folder}: {what} ({_free_bytes(folder) / 2**20:,.0f} MiB free); nothing is lost: make room and give the same "
        "command again, which goes on from what was finished"
    )


def _free_bytes(folder: pathlib.Path) -> int:
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
