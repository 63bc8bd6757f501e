"""Sizes of a Parquet file's pages, read from their headers before anything is decompressed.

The footer's sizes can be wrong. A page's header is what the decoder believes, so its sizes bound the memory. The
headers are Thrift structs in the compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

MAX_FOOTER_BYTES = 32 * 2**20
"""Largest footer to parse; it takes several times its size in memory."""

MAX_ELEMENTS = 100_000
"""Most columns of a file, those within columns counted."""

MAX_DEPTH = 64
"""Most levels of columns within columns."""

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_MAX_DEPTH = 8
# A header can quote a page's smallest and largest cell.
_MAX_HEADER_BYTES = MAX_FOOTER_BYTES
_SCHEMA_FIELD = 2
_CHILDREN_FIELD = 5
_LIST = 9
_DICTIONARY_PAGE = 2
_DICTIONARY_ENCODINGS = (2, 8)
# Each value repeats a prefix of the value before it.
_DELTA_BYTE_ARRAY = 7


class BadPages(ValueError):
    """A footer or pages that cannot be followed; the message is the reason."""


class TooLarge(Exception):
    """A file, or rows of it, that would take too much memory."""

    def __init__(self, expected: str, got: str, remedy: str):
        super().__init__(expected, got, remedy)
        self.expected = expected
        self.got = got
        self.remedy = remedy


@dataclasses.dataclass(frozen=True)
class Page:
    """One page's header."""

    is_dictionary: bool
    size: int
    """Size in bytes, decompressed."""

    values: int
    """Number of values; for lists, of the elements in all rows."""

    repeats_values: bool
    """Whether a value can be larger in memory than in the page: it refers to a dictionary or to a value before it."""

    is_delta: bool
    """Whether values repeat prefixes of values before them."""


def check_footer(file: BinaryIO) -> None:
    """Checks the size of a file's footer and the number and depth of its columns, before pyarrow parses it.

    pyarrow takes the process down if columns are nested in each other some 10,000 times. What is wrong with the footer
    otherwise is left to pyarrow.

    Raises:
      TooLarge: The footer is over 32 MB, or it has over 100,000 columns or columns nested deeper than 64 levels.
      BadPages: The footer cannot be followed.
    """
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL_BYTES, 0))
    tail = file.read(_TAIL_BYTES)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > size - _TAIL_BYTES:
        return
    if length > MAX_FOOTER_BYTES:
        raise TooLarge(
            f"a footer of at most {MAX_FOOTER_BYTES // 2**20} MB",
            f"one of {length / 2**20:,.0f} MB",
            "write fewer columns and larger row groups, or several files",
        )
    file.seek(size - _TAIL_BYTES - length)
    children_left: list[int] = []
    for count, children in enumerate(_Header(io.BytesIO(file.read(length))).schema_children()):
        if count > MAX_ELEMENTS:
            raise TooLarge(f"at most {MAX_ELEMENTS:,} columns", "more", "write values as rows, not as columns")
        if children_left:
            children_left[-1] -= 1
        children_left.append(children)
        while children_left and children_left[-1] <= 0:
            children_left.pop()
        if len(children_left) > MAX_DEPTH:
            raise TooLarge(f"columns nested at most {MAX_DEPTH} levels deep", "more", "write flat columns")


def pages(file: BinaryIO, column: Any) -> Iterator[Page]:
    """Yields the headers of a column chunk's pages.

    Args:
      file: A seekable file, opened for reading bytes.
      column: The `ColumnChunkMetaData` of pyarrow.

    Raises:
      BadPages: A header is no header, or has a negative size.
    """
    start = column.data_page_offset
    # Some writers set the offset to 0 where there is no dictionary.
    if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < start:
        start = column.dictionary_page_offset
    if start < 0:
        raise BadPages(f"a column chunk at {start}")
    values_left = column.num_values
    position = start
    while values_left > 0:
        file.seek(position)
        header = _Header(file)
        page, compressed_size = _page(header.struct())
        if page.size < 0 or page.values < 0 or compressed_size < 0:
            raise BadPages("a page of negative size")
        if not page.is_dictionary:
            values_left -= page.values
        position += header.bytes_read + compressed_size
        yield page


def _page(fields: dict[int, Any]) -> tuple[Page, int]:
    """Returns a page and its size in the file."""
    kind, size, compressed_size = (fields.get(number) for number in (1, 2, 3))
    # 5: data page, 7: dictionary page, 8: data page of version 2, whose encoding is its fourth field.
    detail: dict[int, Any] = next((fields[number] for number in (5, 7, 8) if isinstance(fields.get(number), dict)), {})
    values, encoding = detail.get(1, 0), detail.get(4 if 8 in fields else 2)
    if not all(isinstance(number, int) for number in (kind, size, compressed_size, values)):
        raise BadPages("a page without a header")
    is_delta = encoding == _DELTA_BYTE_ARRAY
    repeats_values = is_delta or encoding in _DICTIONARY_ENCODINGS
    return Page(kind == _DICTIONARY_PAGE, size, values, repeats_values, is_delta), compressed_size  # type: ignore


class _Header:
    """Reads one struct of Thrift's compact protocol from a file's position."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.bytes_read = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Returns the fields by number: int, bool, dict, or None for other types."""
        if depth > _MAX_DEPTH:
            raise BadPages("a page header nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._int()
            fields[number] = self._value(head & 15, depth)
        return fields

    def schema_children(self) -> Iterator[int]:
        """Yields the number of children of each element of a footer's schema, in the order of the tree."""
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._int()
            if (number, head & 15) != (_SCHEMA_FIELD, _LIST):
                self._value(head & 15, 0)
                continue
            head = self._byte()
            for _ in range(head >> 4 if head >> 4 != 15 else self._varint()):
                children = self.struct().get(_CHILDREN_FIELD)
                yield children if isinstance(children, int) else 0
            return

    def _value(self, type_: int, depth: int, is_element: bool = False) -> Any:
        if type_ in (1, 2):  # A field's bool is its type; an element's is a byte.
            return self._byte() == 1 if is_element else type_ == 1
        if type_ == 3:
            return self._byte()
        if type_ in (4, 5, 6):
            return self._int()
        if type_ == 7:
            return self._skip(8)
        if type_ == 8:
            return self._skip(self._varint())
        if type_ in (9, 10):
            head = self._byte()
            count = head >> 4 if head >> 4 != 15 else self._varint()
            for _ in range(count):
                self._value(head & 15, depth + 1, is_element=True)
            return None
        if type_ == 12:
            return self.struct(depth + 1)
        raise BadPages(f"a page header with a field of type {type_}")

    def _byte(self) -> int:
        byte = self._file.read(1)
        self.bytes_read += 1
        if not byte or self.bytes_read > _MAX_HEADER_BYTES:
            raise BadPages("a page header without an end")
        return byte[0]

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise BadPages("a page header with a number of over 64 bits")

    def _int(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, count: int) -> None:
        self.bytes_read += count
        if self.bytes_read > _MAX_HEADER_BYTES:
            raise BadPages("a page header without an end")
        self._file.seek(count, 1)
