"""Zip files with one member, which is read in their place."""

from __future__ import annotations

import io
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from typing import BinaryIO, cast

from shortlist.errors import DataError
from shortlist.quoting import listed
from shortlist.tables.magic import ZIP

# Names that macOS and editors leave beside data, as in `tables/inputs.py`.
_NOT_DATA = (".", "_")
# Names of members with which workbooks begin, for files whose directory at the end is lost.
_WORKBOOK = (b"[Content_Types].xml", b"docProps/", b"xl/")
_HEAD_BYTES = 4096

DAMAGES = (zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError)
"""What zipfile raises while it unpacks a damaged member."""

# RuntimeError: a password. NotImplementedError: another compression. The others: numbers of the directory that are used
# unchecked, as positions, sizes and dates.
ERRORS = (*DAMAGES, NotImplementedError, RuntimeError, ValueError, IndexError, OverflowError, struct.error)
"""What zipfile raises on damaged, encrypted or unusually compressed files."""


_COPIED_BYTES = 2**13
# Logs shrink to a tenth or a fiftieth; gzip and zip reach 1,000 with repetitions only.
_MAX_RATIO = 200
_MIN_BYTES = 64 * 2**20


class Member(io.BufferedReader):
    """The unpacked bytes of a member, streamed."""

    def __init__(self, raw: zipfile.ZipExtFile, info: zipfile.ZipInfo):
        super().__init__(cast(io.RawIOBase, raw))
        self.size = info.file_size
        """Number of bytes, unpacked."""
        self.packed_size = info.compress_size


def is_zip(file: BinaryIO) -> bool:
    """Returns whether a seekable file is a zip file, which workbooks are, too; leaves it at its start."""
    file.seek(0)
    magic = file.read(len(ZIP))
    file.seek(0)
    return magic == ZIP


def names_of(file: BinaryIO, name: str) -> list[str]:
    """Returns the names of a zip file's members, without folders.

    Raises:
      DataError: The zip file is damaged.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return [info.filename for info in archive.infolist() if not info.is_dir()]
    except ERRORS as error:
        file.seek(0)
        head = file.read(_HEAD_BYTES)
        if any(part in head for part in _WORKBOOK):
            raise DataError.from_parts(
                name, "a whole file", "an Excel workbook that is cut off or damaged", "save it again, as .xlsx or CSV"
            ) from None
        raise _unreadable(name, error) from None


def member(file: BinaryIO, name: str) -> tuple[Member, str]:
    """Returns the only member of a zip file, and its name. Hidden files do not count.

    Args:
      file: A seekable file, opened for reading bytes; it must stay open.
      name: Name of the file, for errors.

    Raises:
      DataError: The zip file is damaged, has a password, has no member or several ones, or expands too much.
    """
    names = [
        member for member in names_of(file, name) if not any(part.startswith(_NOT_DATA) for part in member.split("/"))
    ]
    if len(names) != 1:
        got = f"{len(names)}: {listed(names)}" if names else "none"
        raise DataError.from_parts(name, "a zip file with one file in it", got, "unpack it and name one of its files")
    try:
        archive = zipfile.ZipFile(file)
        info = archive.getinfo(names[0])
        # Not more than this size is ever unpacked, whatever the member has.
        if info.file_size > most_unpacked(info.compress_size):
            raise too_large(f"{name}/{names[0]}", info.compress_size)
        return Member(cast(zipfile.ZipExtFile, archive.open(info)), info), names[0]
    except ERRORS as error:
        raise _unreadable(name, error) from None


def on_disk(packed: Member, name: str) -> BinaryIO:
    """Returns a temporary file with a member's bytes, for formats that are not read from start to end.

    Raises:
      DataError: The zip file is damaged.
    """
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115  The reader closes it.
    try:
        # Small pieces, because a piece of xz or bzip2 is unpacked as a whole.
        shutil.copyfileobj(packed, unpacked, _COPIED_BYTES)
    except ERRORS as error:
        unpacked.close()
        raise _unreadable(name, error) from None
    unpacked.seek(0)
    return cast(BinaryIO, unpacked)


def most_unpacked(packed_size: int) -> int:
    """Returns the largest size in bytes to which a compressed file may expand: 64 MB or 200 times its own size."""
    return max(_MIN_BYTES, _MAX_RATIO * packed_size)


def too_large(name: str, packed_size: int) -> DataError:
    """Returns the error for a compressed file that expands too much."""
    return DataError.from_parts(
        name,
        f"at most {most_unpacked(packed_size) // 2**20:,} MB, unpacked from {packed_size:,} bytes",
        "more",
        "such a file consists of repetitions: check how it was written, or unpack it",
    )


def _unreadable(name: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    remedy = "fetch or write it again"
    if "password" in reason:
        remedy = "unpack it"
    return DataError.from_parts(name, "a zip file that can be read", reason, remedy)
