"""One command at a time writes to a workspace, whoever dies.

The lock is the kernel's (`flock`): it is gone with the process that held it, after SIGKILL, a reboot or when another
process has the same pid by now, so that nothing has to be guessed from what the file says. That is only for people to
read. The lock holds between machines where the file system passes it on (NFSv4 does; NFS mounted with `nolock` and
most object-store mounts do not).
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

# A holder writes its name right after it has the lock, and whoever asks `is_held` has it for a moment.
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class Holder:
    """The process that has a lock, or had it when it died."""

    command: str
    pid: int
    host: str
    started: str
    """UTC, ISO 8601."""

    @classmethod
    def this_process(cls, command: str) -> Holder:
        """Returns this process, as of now."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return cls(command, os.getpid(), socket.gethostname(), now.isoformat(sep=" ", timespec="seconds"))

    def __str__(self) -> str:
        return f"`shortlist {self.command}`, pid {self.pid} on {self.host}, started {self.started}"


@contextlib.contextmanager
def hold(path: pathlib.Path, command: str) -> Iterator[Holder | None]:
    """Holds a lock and yields the holder that died with it, if one did; its lock is free.

    Args:
      path: The lock file, made where there is none. It stays: deleting it would let two processes hold two files.
      command: What this process is at, for whoever is refused.

    Raises:
      BadInputError: Another process holds it; names the process.
      ConfigError: The file cannot be made, or its file system has no locks.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ConfigError.from_reason(path, "a file that can be written", error.strerror) from None
    try:
        _lock(descriptor, path)
        previous_holder = _read(descriptor)
        _write(descriptor, json.dumps(dataclasses.asdict(Holder.this_process(command))))
        try:
            yield previous_holder
        finally:
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def is_held(path: pathlib.Path) -> bool:
    """Returns whether a process holds a lock now."""
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
    """Returns who wrote the file; None if it is empty, or torn by a death within the write."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    # For people only: a full disk is found by what matters.
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, text.encode("utf-8"), 0)
