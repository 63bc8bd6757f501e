"""Lines of a UTF-8 text file, plain or gzip, with an error that names the first invalid byte."""

from __future__ import annotations

import functools
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError

# A longer "line" is binary data, which would be read into memory as a whole.
MAX_LINE_BYTES = 16 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class TextLines:
    """Iterator over the lines, with their line ends and without a BOM. Gzip is detected from the content."""

    def __init__(self, file: BinaryIO, name: str, format: str):
        """Starts at the beginning of a file.

        Args:
          file: A seekable file, opened for reading bytes.
          name: Name of the file, for errors.
          format: Expected format, for remedies, such as `CSV`.
        """
        self.bytes_read = 0
        self._name = name
        self._format = format
        self._file = file
        file.seek(0)
        magic = file.read(len(_GZIP_MAGIC))
        file.seek(0)
        self._plain = file
        if magic == _GZIP_MAGIC:
            # Not Beam's own decompression, which reads a truncated file without an error.
            self._plain = io.BufferedReader(gzip.GzipFile(fileobj=file))

    def __iter__(self) -> Iterator[str]:
        """Yields each line.

        Raises:
          DataError: The line is not UTF-8, has a NUL byte or is longer than 16 MB, or the gzip file is truncated.
        """
        try:
            yield from self._lines()
        except (OSError, EOFError, zlib.error) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError.from_parts(
                self._name, "a file that can be read to its end", reason, "fetch or write it again"
            ) from None

    def share_read(self, size: int) -> float:
        """Returns the fraction of the file that was read, 0 to 1.

        Args:
          size: Size of the file in bytes.
        """
        if not size:
            return 1.0
        return min(self._file.tell() / size, 1.0)

    def error(self, line: int, expected: str, got: str, remedy: str) -> DataError:
        """Returns an error about a line, counted from 1."""
        return DataError.from_parts(f"{self._name}, line {line}", expected, got, remedy)

    def _lines(self) -> Iterator[str]:
        lines = iter(functools.partial(self._plain.readline, MAX_LINE_BYTES), b"")
        for number, line in enumerate(lines, start=1):
            self.bytes_read += len(line)
            if number == 1:
                line = self._without_bom(line)
            if b"\0" in line:
                remedy = f"write the file as UTF-8 {self._format}, without NULs"
                raise self.error(number, "text", "a NUL byte", remedy)
            if len(line) >= MAX_LINE_BYTES:
                raise self.error(number, "lines of text", "a line of over 16 MB", "check how the file was written")
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                got = f"the byte 0x{line[error.start]:02x} at position {error.start} of the line"
                raise self.error(number, "UTF-8", got, "write the file as UTF-8") from None

    def _without_bom(self, line: bytes) -> bytes:
        if line.startswith(_UTF16_BOMS):
            raise DataError.from_parts(self._name, "UTF-8", "UTF-16", f"save the file as UTF-8 {self._format}")
        return line.removeprefix(_UTF8_BOM)
