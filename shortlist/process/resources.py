"""Recognition of full disks and exhausted memory in exceptions, also deep in a chain of causes."""

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
from shortlist.process import causes, limits

_ERRNOS = {errno.ENOSPC: "no space left", errno.EDQUOT: "no space left in the quota", errno.EFBIG: "file too large"}
# TensorFlow, ML Metadata's sqlite and Beam's workers set no errno; only their messages name the shortage.
_WORDS = {
    "No space left on device": "no space left",
    "database or disk is full": "no space left",
    # sqlite rolls the transaction back by itself when the disk is full; ML Metadata then fails to commit.
    "cannot commit - no transaction is active": "no space left",
    "Disk quota exceeded": "no space left in the quota",
    "File too large": "file too large",
}
# Fraction of a full disk's inodes below which they may be what it lacks.
_FEW_INODES = 0.1
# Messages of TensorFlow's and C++'s allocators; Python, numpy and Arrow raise MemoryError.
_MEMORY_WORDS = ("OOM when allocating", "std::bad_alloc", "Cannot allocate memory", "failed to allocate memory")
# The dynamic linker's message, also for a file system without the right to execute.
_LINKER_WORDS = "failed to map segment from shared object"
_THREAD_WORDS = ("can't start new thread", "Thread creation via pthread_create() failed")


def find_shortage(error: BaseException, folder: pathlib.Path) -> ResourceError | None:
    """Returns the shortage that caused an exception; None if there was none.

    Args:
      error: The caught exception.
      folder: The folder that was being written to, for exceptions that name no file.
    """
    for link in causes.chain(error):
        if isinstance(link, ResourceError):
            return link
        shortage = _disk_shortage(link)
        if shortage is not None:
            full = _full_folder(link, folder)
            if shortage == _ERRNOS[errno.ENOSPC] and _inodes_are_scarcer(full):
                return ResourceError(_inodes_sentence(full))
            return ResourceError(_disk_sentence(shortage, full))
        if any(words in str(link) for words in _THREAD_WORDS):
            return ResourceError(_thread_sentence())
        if _memory_ran_out(link):
            return ResourceError(_memory_sentence())
    return None


@contextlib.contextmanager
def raises_resource_error(folder: pathlib.Path) -> Iterator[None]:
    """Raises a `ResourceError` from any exception in its body that a shortage of disk or memory caused."""
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
    message = str(error)
    return next((shortage for words, shortage in _WORDS.items() if words in message), None)


def _memory_ran_out(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    message = str(error)
    if _LINKER_WORDS in message and "Operation not permitted" not in message:
        return bool(limits.found())
    return any(words in message for words in _MEMORY_WORDS)


def _thread_sentence() -> str:
    found = ", ".join(limits.found()) or "none for this process alone"
    return (
        f"no further thread could be started (limits: {found}); finished steps are kept: raise the limit, or end other "
        "processes of this account, and run the same command again"
    )


def _memory_sentence() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    limited = ""
    if limit != resource.RLIM_INFINITY:
        limited = f", limited to {limit / 2**30:,.1f} GiB of addresses"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"memory ran out (this process had {peak:,.1f} GiB{limited}); finished steps and the latest training "
        "checkpoint are kept: run the same command again with more memory; if the Trainer ran out of memory, a lower "
        "train.batch_size or train.loss.kind: sampled needs less"
    )


def find_missing_inodes(folder: pathlib.Path) -> ResourceError | None:
    """Returns the shortage of a file system that has free bytes but can hold no further file; None if it can."""
    return ResourceError(_inodes_sentence(folder)) if _free_inodes(folder) == 0 else None


def _inodes_are_scarcer(folder: pathlib.Path) -> bool:
    """Returns whether a full disk lacks inodes rather than bytes.

    Fractions are compared, because the failed command may already have deleted what it had written.
    """
    found = os.statvfs(_existing(folder))
    if not found.f_files or not found.f_blocks:
        return False
    free_inodes = found.f_favail / found.f_files
    return free_inodes < min(_FEW_INODES, found.f_bavail / found.f_blocks)


def _inodes_sentence(folder: pathlib.Path) -> str:
    return (
        f"{folder}: no inodes left for further files ({_free_bytes(folder) / 2**20:,.0f} MiB free); finished steps are "
        "kept: delete files or use a file system with more inodes (`df -i` shows them), and run the same command again"
    )


def _full_folder(error: BaseException, folder: pathlib.Path) -> pathlib.Path:
    """Returns the full folder: the exception's own, else the fuller one of `folder` and the temporary folder."""
    named = getattr(error, "filename", None)
    if isinstance(named, str):
        return pathlib.Path(named).parent
    candidates = (folder, pathlib.Path(tempfile.gettempdir()))
    # Writes of bytes fail first where there are none, and new files where there are no inodes.
    return min(candidates, key=lambda candidate: (_free_inodes(candidate) != 0, _free_bytes(candidate)))


def _disk_sentence(shortage: str, folder: pathlib.Path) -> str:
    return (
        f"{folder}: {shortage} ({_free_bytes(folder) / 2**20:,.0f} MiB free); finished steps are kept: free some space "
        "and run the same command again"
    )


def _free_bytes(folder: pathlib.Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _free_inodes(folder: pathlib.Path) -> int | None:
    """Returns how many files can be made; None if the file system has no limit."""
    found = os.statvfs(_existing(folder))
    return found.f_favail if found.f_files else None


def _existing(folder: pathlib.Path) -> pathlib.Path:
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder
