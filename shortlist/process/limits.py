"""Limits on addresses and threads: a check before TensorFlow is loaded, and a sentence for a process that dies of one.

A library in C++ that cannot start a thread or allocate memory aborts the process, which Python cannot catch.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pathlib
import resource
import signal

from shortlist.errors import ResourceError

MIN_ADDRESS_BYTES = 2 * 2**30
"""TensorFlow and a small model on two cores: with 1.6 GB the process is aborted, with 2.5 GB `recommend` answers."""

# A run has some 150 threads on two cores. Systems without a limit of their own allow tens of thousands.
_FEW_THREADS = 1000
_PIDS_FILES = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")

# Addresses that are set aside for printing the error when all others are used; they take no memory.
_RESERVE_BYTES = 64 * 2**20

_pipe: int | None = None
_reserve: mmap.mmap | None = None


def check_addresses() -> None:
    """Refuses a limit on addresses with which TensorFlow cannot be loaded.

    Raises:
      ResourceError: The limit is too low.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < MIN_ADDRESS_BYTES:
        raise ResourceError(
            f"expected {MIN_ADDRESS_BYTES / 2**20:,.0f} MiB of addresses or more for TensorFlow, got a limit of "
            f"{limit / 2**20:,.0f} MiB; raise it with `ulimit -v`, or run the command without it"
        )


def found() -> list[str]:
    """Returns the limits that a command may reach, each with its number and the command that changes it."""
    limits = []
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
    if addresses != resource.RLIM_INFINITY:
        limits.append(f"{addresses / 2**20:,.0f} MiB of addresses (`ulimit -v`)")
    threads, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if threads != resource.RLIM_INFINITY and threads < _FEW_THREADS:
        limits.append(f"{threads:,} processes and threads (`ulimit -u`)")
    for path in _PIDS_FILES:
        try:
            text = pathlib.Path(path).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal() and int(text) < _FEW_THREADS:
            limits.append(f"{text} processes and threads of the control group (pids.max)")
    return limits


def watch() -> None:
    """Starts a process that prints a sentence if this one dies without `ended`; does nothing without limits.

    The watching process holds only stderr, and ends with this one. Call it before other threads start.
    """
    global _pipe, _reserve
    limits = found()
    if not limits:
        return
    with contextlib.suppress(OSError):
        _reserve = mmap.mmap(-1, _RESERVE_BYTES)
    sentence = (
        "Error: the process was aborted or killed; it has limits that it may have reached: "
        f"{', '.join(limits)}; finished steps are kept: raise the limit and run the same command again\n"
    )
    reader, writer = os.pipe()
    try:
        process = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        return
    if process == 0:
        _report(reader, sentence)
    os.close(reader)
    _pipe = writer


def release_reserve() -> None:
    """Makes room for printing an error after memory ran out."""
    global _reserve
    if _reserve is not None:
        _reserve.close()
        _reserve = None


def ended() -> None:
    """Tells the watching process that this one ends by itself."""
    global _pipe
    if _pipe is not None:
        writer, _pipe = _pipe, None
        os.write(writer, b".")
        os.close(writer)


def _report(reader: int, sentence: str) -> None:
    """Waits for the other end of a pipe, and prints the sentence if it was closed without a word."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A terminal sends these to both processes.
            signal.signal(number, signal.SIG_IGN)
        # A lock or a pipe of the command must not stay open here.
        os.dup2(reader, 3)
        os.closerange(4, 4096)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1):
            os.dup2(null, descriptor)
        if not os.read(3, 1):
            os.write(2, sentence.encode())
    finally:
        os._exit(0)
