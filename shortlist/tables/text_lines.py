"""Lines of a text file in any encoding, plain or gzip, with an error that names the first invalid byte."""

from __future__ import annotations

import codecs
import contextlib
import functools
import gzip
import io
import itertools
import math
from collections.abc import Iterator
from typing import BinaryIO

from shortlist.errors import DataError
from shortlist.tables import magic, zip_files
from shortlist.tables.spec import Format, TableSpec

# A longer "line" is binary data, which would be read into memory as a whole.
MAX_LINE_BYTES = 16 * 2**20

MAX_BLANK_LINES = 1_000_000
"""Most blank lines one after another; they compress to nothing, but take time."""

_UTF8 = "utf-8"
_CHUNK_BYTES = 2**16
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

    def __init__(
        self, file: BinaryIO, spec: TableSpec, name: str, format: Format, span: tuple[int, int, int] | None = None
    ):
        """Starts at the beginning of a file, or of a part of it.

        Args:
          file: A seekable file, opened for reading bytes.
          spec: The table, for its encoding.
          name: Name of the file, for errors.
          format: Expected format, for errors.
          span: For plain files in which a byte is a line end, the first byte of the part, the byte after its last one,
            and the number of lines before it; the whole file by default.
        """
        self._span = span
        self.bytes_read = 0
        self._name = name
        self._format = format
        self._encoding = spec.dialect.encoding
        self._kind = spec.kind
        self._key = f"data.{spec.kind}.encoding"
        self._file = file
        with self._readable():
            file.seek(0)
            head = file.read(len(magic.GZIP))
            file.seek(0)
            self._packed_size = file.packed_size if isinstance(file, zip_files.Member) else _size(file)
        self._plain = file
        self._unpacked = 0
        self._most: float = math.inf
        if head == magic.GZIP:
            # Not Beam's own decompression, which reads a truncated file without an error.
            self._plain = io.BufferedReader(gzip.GzipFile(fileobj=file))
            self._most = zip_files.most_unpacked(self._packed_size)

    def __iter__(self) -> Iterator[str]:
        """Yields each line.

        Raises:
          DataError: A line has bytes that the encoding does not have, a NUL, or is longer than 16 MB, or the gzip file
            is truncated.
        """
        with self._readable():
            first = self._read_line()
            encoding, mark = self._encoding_and_mark(first)
            if self._span is not None and self._span[0]:
                self._plain.seek(self._span[0])
                self.bytes_read = 0
                yield from self._lines_by_bytes(b"", encoding, self._span[2] + 1)
            elif _has_byte_lines(encoding):
                yield from self._lines_by_bytes(first[len(mark) :], encoding)
            else:
                yield from self._lines_by_text(first[len(mark) :], encoding)

    def chunks(self) -> Iterator[str]:
        """Yields the text in pieces of about 64 KB, without a BOM, for formats without lines.

        Raises:
          DataError: As for lines.
        """
        with self._readable():
            first = self._read_chunk()
            encoding, mark = self._encoding_and_mark(first)
            number = 1
            for text, failure in self._decoded(first[len(mark) :], encoding):
                if "\0" in text:
                    number += text.count("\n", 0, text.index("\0"))
                    raise self.error(
                        number, "text", "a NUL character", self._nul_remedy(first[: _CHUNK_BYTES // 2 * 2])
                    )
                yield text
                number += text.count("\n")
                if failure is not None:
                    raise self._invalid(number, failure, len(text) - text.rfind("\n") - 1, encoding)

    def share_read(self, size: int) -> float:
        """Returns the fraction of the file that was read, 0 to 1.

        Args:
          size: Size of the file in bytes.
        """
        if isinstance(self._file, zip_files.Member):
            size = self._file.size
        if not size:
            return 1.0
        return min(self._file.tell() / size, 1.0)

    def error(self, line: int, expected: str, got: str, remedy: str) -> DataError:
        """Returns an error about a line, counted from 1."""
        return DataError.from_parts(f"{self._name}, line {line}", expected, got, remedy)

    def blank_lines(self, line: int) -> DataError:
        """Returns the error about too many blank lines before a line."""
        return self.error(line, "rows", f"{MAX_BLANK_LINES:,} blank lines", "check how the file was written")

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except zip_files.DAMAGES as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise DataError.from_parts(
                self._name, "a file that can be read to its end", reason, "fetch or write it again"
            ) from None

    def _encoding_and_mark(self, first: bytes) -> tuple[str, bytes]:
        """Returns the encoding of the text and its byte order mark, and refuses content of another kind.

        Args:
          first: The first bytes of the text.
        """
        magic.check(first[: magic.HEAD_BYTES], self._kind, self._name, self._format)
        mark = next((mark for mark in _BOMS if first.startswith(mark)), b"")
        self.bytes_read = len(mark)
        encoding = _BOMS.get(mark, self._encoding)
        # Lines are decoded one by one: `utf-8-sig` would take a mark off each of them.
        if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
            encoding = _UTF8
        return encoding, mark

    def _lines_by_bytes(self, first: bytes, encoding: str, start: int = 1) -> Iterator[str]:
        """Yields lines of an encoding in which the byte 0x0A is always a line end; twice as fast as any encoding."""
        lines = itertools.chain([first] if first else [], iter(self._read_line, b""))
        length = math.inf if self._span is None else self._span[1] - self._span[0]
        for number, line in enumerate(lines, start):
            if self.bytes_read >= length:
                return
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
        number, rest = 0, ""
        for text, failure in self._decoded(first, encoding):
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

    def _decoded(self, first: bytes, encoding: str) -> Iterator[tuple[str, UnicodeError | None]]:
        """Yields the text of each chunk, and the error that ends it."""
        decoder = codecs.getincrementaldecoder(encoding)()
        for chunk in itertools.chain([first], iter(self._read_chunk, b""), [None]):
            self.bytes_read += len(chunk or b"")
            try:
                text = decoder.decode(chunk or b"", chunk is None)
            except UnicodeError as error:
                yield _valid_part(error, encoding), error
                return
            yield text, None

    def _read_line(self) -> bytes:
        return self._counted(self._plain.readline(MAX_LINE_BYTES))

    def _read_chunk(self) -> bytes:
        return self._counted(self._plain.read(_CHUNK_BYTES))

    def _counted(self, unpacked: bytes) -> bytes:
        self._unpacked += len(unpacked)
        if self._unpacked > self._most:
            raise zip_files.too_large(self._name, self._packed_size)
        return unpacked

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
        return "write the file as UTF-8 text, without NULs"


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


@functools.lru_cache(maxsize=64)
def _has_byte_lines(encoding: str) -> bool:
    """Returns whether the byte 0x0A is a line end wherever it stands, so that each line can be decoded alone."""
    name = codecs.lookup(encoding).name
    return not name.startswith(_STATEFUL) and "\n".encode(encoding) == b"\n"


def _valid_part(error: UnicodeError, encoding: str) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return ""
    return error.object[: error.start].decode(encoding, "ignore")
