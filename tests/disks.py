"""Small file systems that really fill up."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
from collections.abc import Iterator

import pytest

_FILLER = "filler"
_PIECE = b"x" * 4096


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, kilobytes: int, inodes: int = 0) -> Iterator[pathlib.Path]:
    """Mounts a file system of some KiB at a folder, which it makes; skips the test where that is not permitted.

    Args:
      folder: The folder to make.
      kilobytes: Its size.
      inodes: Number of files and folders that it holds; 0 for as many as fit.
    """
    folder.mkdir()
    options = f"size={kilobytes}k" + (f",nr_inodes={inodes}" if inodes else "")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system is mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: pathlib.Path, leave_kilobytes: int = 0) -> None:
    """Fills a disk, but for some KiB."""
    with (folder / _FILLER).open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(_PIECE):
                pass
        file.truncate(max(0, file.tell() - leave_kilobytes * 1024))


def use_inodes(folder: pathlib.Path, leave: int = 0) -> None:
    """Makes empty files until a disk can hold only `leave` further ones."""
    files = 0
    with contextlib.suppress(OSError):
        while True:
            (folder / f"{_FILLER}-{files}").touch()
            files += 1
    for number in range(leave):
        (folder / f"{_FILLER}-{number}").unlink()


def make_room(folder: pathlib.Path) -> None:
    """Takes away what filled a disk."""
    (folder / _FILLER).unlink()
