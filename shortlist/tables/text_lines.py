"""Lines of a text file in any encoding, plain or gzip, with an error that names the first invalid byte."""

from __future__ import annotations

import codecs
import functools
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError
from shortlist.tables.spec import TableSpec

# A longer "line" is binary data, which would be read into memory as a whole.
MAX_LINE_BYTES = 16 * 2**20

_GZIP_MAGIC = b"\x1f\x8b"
_UTF8 = "utf-8"
_CHUNK_BYTES = 2**20
# The mark of UTF-32 first, because it begins like that of UTF-16.
_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Encodings in which the meaning of a byte may depend on an earlier line.
_STATEFUL = ("iso2022", "hz", "utf-7")


class TextLines:
    """Iterator over the lines, with their line ends and without a BOM. Gzip is detected from the content."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str, format: str):
        """Starts at the beginning of a file.

        Args:
          file: A seekable file, opened for reading bytes.
          spec: The table, for its encoding.
          name: Name of the file, for errors.
          format: Expected format, for remedies, such as `CSV`.
        """
        self.bytes_read = 0
        self._name = name
        self._format = format
        self._encoding = spec.dialect.encoding
        self._key = f"data.{spec.kind}.encoding"
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
          DataError: A line has bytes that the encoding does not have, a NUL, or is longer than 16 MB, or the gzip file
            is truncated.
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
        first = self._plain.readline(MAX_LINE_BYTES)
        mark = next((mark for mark in _BOMS if first.startswith(mark)), b"")
        encoding = _BOMS.get(mark, self._encoding)
        # Lines are decoded one by one: `utf-8-sig` would take a mark off each of them.
        if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
            encoding = _UTF8
        first = first[len(mark) :]
        self.bytes_read = len(mark)
        if _has_byte_lines(encoding):
            yield from self._lines_by_bytes(first, encoding)
        else:
            yield from self._lines_by_text(first, encoding)

    def _lines_by_bytes(self, first: bytes, encoding: str) -> Iterator[str]:
        """Yields lines of an encoding in which the byte 0x0A is always a line end; twice as fast as any encoding."""
        lines = itertools.chain([first] if first else [], iter(self._read_line, b""))
        for number, line in enumerate(lines, start=1):
            self.bytes_read += len(line)
            if len(line) >= MAX_LINE_BYTES:
                raise self._long_line(number)
            if b"\0" in line:
                raise self.error(number, "text", "a NUL byte", self._nul_remedy(line))
            try:
                yield line.decode(encoding)
            except UnicodeError as error:
                raise self._invalid(number, error, getattr(error, "start", 0), encoding) from None

    def _lines_by_text(self, first: bytes, encoding: str) -> Iterator[str]:
        """Yields lines of any encoding."""
        decoder = codecs.getincrementaldecoder(encoding)()
        number, rest = 0, ""
        for chunk in itertools.chain([first], iter(self._read_chunk, b""), [None]):
            self.bytes_read += len(chunk or b"")
            failure = None
            try:
                text = decoder.decode(chunk or b"", chunk is None)
            except UnicodeError as error:
                failure = error
                text = _valid_part(error, encoding)
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                if "\0" in line:
                    raise self.error(number + 1, "text", "a NUL character", self._nul_remedy(b""))
                yield f"{line}\n"
                number += 1
            if failure is not None:
                raise self._invalid(number + 1, failure, len(rest), encoding)
            if len(rest) >= MAX_LINE_BYTES:
                raise self._long_line(number + 1)
        if rest:
            yield rest

    def _read_line(self) -> bytes:
        return self._plain.readline(MAX_LINE_BYTES)

    def _read_chunk(self) -> bytes:
        return self._plain.read(_CHUNK_BYTES)

    def _long_line(self, number: int) -> DataError:
        return self.error(number, "lines of text", "a line of over 16 MB", "check how the file was written")

    def _invalid(self, number: int, error: UnicodeError, position: int, encoding: str) -> DataError:
        if not isinstance(error, UnicodeDecodeError):
            return self.error(number, f"text in {encoding}", str(error), f"correct {self._key}")
        expected = "UTF-8" if encoding == _UTF8 else f"text in {encoding}"
        got = f"the byte 0x{error.object[error.start]:02x} at position {position} of the line"
        remedy = f"set {self._key} to the file's encoding, such as cp1252, or write the file as UTF-8"
        return self.error(number, expected, got, remedy)

    def _nul_remedy(self, line: bytes) -> str:
        for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            nuls = line[first:-1:2]
            if nuls and not nuls.strip(b"\0"):
                return f"set {self._key}: {encoding}"
        return f"write the file as UTF-8 {self._format}, without NULs"


@functools.lru_cache(maxsize=64)
def _has_byte_lines(encoding: str) -> bool:
    """Returns whether the byte 0x0A is a line end wherever it stands, so that each line can be decoded alone."""
    name = codecs.lookup(encoding).name
    return not name.startswith(_STATEFUL) and "\n".encode(encoding) == b"\n"


def _valid_part(error: UnicodeError, encoding: str) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return ""
    return error.object[: error.start].decode(encoding, "ignore")
