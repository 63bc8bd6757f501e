"""A lock that lets one command at a time write to a workspace.

The lock is the kernel's (`flock`). It ends with the process that holds it, also after SIGKILL or a reboot. The content
of the lock file is only for people: nothing is concluded from a pid, which may belong to another process by now. The
lock works between machines if the file system supports it. NFSv4 does; NFS mounted with `nolock` and most object-store
mounts do not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import pathlib
import socket
import time
from collections.abc import Iterator

from shortlist.errors import BadInputError, ConfigError

# Retries, since `is_held` takes the lock for a moment, and a new holder needs a moment to write its name.
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class Holder:
    """The process that holds a lock, or that ended without releasing it."""

    command: str
    pid: int
    host: str
    started: str
    """UTC, ISO 8601."""

    @classmethod
    def this_process(cls, command: str) -> Holder:
        """Returns this process with the current time."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return cls(command, os.getpid(), socket.gethostname(), now.isoformat(sep=" ", timespec="seconds"))

    def __str__(self) -> str:
        return f"`shortlist {self.command}`, pid {self.pid} on {self.host}, started {self.started}"


@contextlib.contextmanager
def hold(path: pathlib.Path, command: str) -> Iterator[Holder | None]:
    """Holds a lock within its body. Yields the previous holder if it died without releasing the lock, else None.

    Args:
      path: The lock file, created if it is missing. It is never deleted, since two processes could then lock two files.
      command: The command of this process, for the error message of others.

    Raises:
      BadInputError: Another process holds the lock; the message names the process.
      ConfigError: The file cannot be created, or its file system does not support locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        remedy = "use an account that may write to the workspace"
        raise ConfigError.from_reason(path, "a file that can be written", error.strerror, remedy) from None
    try:
        _lock(descriptor, path)
        previous_holder = _read(descriptor)
        _write(descriptor, json.dumps(dataclasses.asdict(Holder.this_process(command))))
        # A holder that ends normally truncates the file. Content therefore means that the last one died.
        try:
            yield previous_holder
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_held(path: pathlib.Path) -> bool:
    """Returns whether a process holds the lock now."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock(descriptor: int, path: pathlib.Path) -> None:
    try:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(BlockingIOError):
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(_PAUSE_SECONDS)
    except OSError as error:
        raise ConfigError.from_reason(
            path, "a file system that can lock files", error.strerror, "put the workspace on a local disk"
        ) from None
    raise BadInputError(_in_use(_read(descriptor), path))


def _in_use(holder: Holder | None, path: pathlib.Path) -> str:
    if holder is None:
        return f"{path.parent} is in use by another command; wait until it ends"
    return f"{path.parent} is in use: {holder}; wait until it ends, or stop it with `kill {holder.pid}` there"


def _read(descriptor: int) -> Holder | None:
    """Returns the holder in the file; None if the file is empty or was written only in part."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    # The name is only for people. If the disk is full, the command itself will fail and report it.
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, text.encode("utf-8"), 0)
