"""Reader for JSON Lines files, with JSON values as cells and exact numbers."""

from __future__ import annotations

import collections
import decimal
import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from shortlist.scalars import BadCell, short_repr
from shortlist.tables.span import Span
from shortlist.tables.spec import Format, TableSpec
from shortlist.tables.table_reader import MAX_COLUMNS, Row, TableReader
from shortlist.tables.text_lines import MAX_BLANK_LINES, TextLines

# A column is missing if none of the first rows has it. Rare keys may first appear in later rows.
HEADER_ROWS = 1000

MAX_DEPTH = 64
"""Most levels of values within values, the row counted."""

BLANKS = " \t\r\n"
"""Blanks between the values of JSON."""

_ONE_OBJECT = "one JSON object"
_LINES = "write each row as an object on its own line, e.g. pandas: to_json(path, orient='records', lines=True)"
_SURROGATE = re.compile("[\ud800-\udfff]")
KINDS = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}


class JsonlReader(TableReader):
    """Reads one object per line, plain or gzip. Its keys are the columns; a missing key is a blank cell."""

    _format: Format = "jsonl"

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str, span: Span | None = None):
        super().__init__(spec, name)
        self._line = self._lines_before = 0
        self._span = span
        self._file = file
        self._lines = TextLines(file, spec, name, self._format)
        self.columns = self._first_keys()
        # Engines write empty part files: a file without rows has no columns to check.
        if self.columns:
            self._check_columns()

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and cells: text, bool, int, Decimal, list, dict or None. Blank lines are skipped."""
        bounds = None
        if self._span is not None:
            bounds, self._lines_before = self._span.bounds, self._span.first_line
            self._first_row, self._row = self._span.first_row, self._span.first_row - 1
        self._lines = TextLines(self._file, self._spec, self._name, self._format, bounds)
        needed = list(self._keys)
        for record in self._records():
            yield self._row, {column: record.get(column) for column in needed}

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far, decompressed."""
        return self._lines.bytes_read

    def estimated_rows(self, size: int) -> int:
        """Returns the estimated number of rows, from the fraction of the file that was read."""
        share = self._lines.share_read(size)
        if not share:
            return 0
        return round(self.rows_read / share)

    def _first_keys(self) -> list[str]:
        """Returns the keys of the first rows; stops as soon as all needed keys are found."""
        keys: dict[str, None] = {}
        for record in itertools.islice(self._records(), HEADER_ROWS):
            keys |= dict.fromkeys(record)
            if len(keys) > MAX_COLUMNS:
                raise self.too_many_columns()
            if self._keys and self._keys.keys() <= keys.keys():
                break
        self._row = -1
        return list(keys)

    def _records(self) -> Iterator[dict[str, Any]]:
        blank_lines = 0
        for line, text in enumerate(self._lines, start=self._lines_before + 1):
            self._line = line
            if not text.strip(BLANKS):
                blank_lines += 1
                if blank_lines > MAX_BLANK_LINES:
                    raise self._lines.blank_lines(line)
                continue
            blank_lines = 0
            if self._row < 0 and text.lstrip().startswith("["):
                remedy = f"set data.{self._spec.kind}.format: json"
                raise self._lines.error(line, "one JSON object per line", "the start of one JSON array", remedy)
            record = self._decoded(text)
            self._row += 1
            self._check_depth(record, text.count("[") + text.count("{"))
            # Only an escape can write a lone surrogate, so most lines need no check.
            if "\\u" in text:
                self._check_surrogates(record)
            yield record

    def _decoded(self, text: str) -> dict[str, Any]:
        try:
            record = self._checked(lambda: DECODER.decode(text))
        except json.JSONDecodeError as error:
            reason = f"{error.msg.removesuffix(' at')} at character {error.colno}"
            remedy = "correct the line"
            if text.strip() in ("[", "{"):  # An array or object over several lines.
                remedy = _LINES
            raise self._lines.error(self._line, _ONE_OBJECT, f"{short_repr(text.strip())} ({reason})", remedy) from None
        if not isinstance(record, dict):
            raise self._lines.error(self._line, _ONE_OBJECT, KINDS.get(type(record), "a number"), _LINES)
        return record

    def _checked(self, decode: Callable[[], Any]) -> Any:
        """Returns the decoded value, and refuses values that the reader cannot hold exactly."""
        try:
            return decode()
        except BadCell as bad:
            raise self._lines.error(self._line, bad.expected, bad.got, bad.remedy) from None
        except RecursionError:
            raise self._lines.error(self._line, _ONE_OBJECT, "one nested too deeply", "write flat rows") from None

    def _check_depth(self, record: dict[str, Any], brackets: int) -> None:
        """Refuses values within values that recursive functions could not handle.

        Args:
          record: The row.
          brackets: Number of opening brackets in its text, of which few rows have many.
        """
        if brackets <= MAX_DEPTH:
            return
        values: list[Any] = [record]
        for _ in range(MAX_DEPTH):
            values = [
                inner
                for value in values
                for inner in (value.values() if isinstance(value, dict) else value)
                if isinstance(inner, dict | list)
            ]
        if values:
            raise self.error(None, _ONE_OBJECT, f"values nested more than {MAX_DEPTH} levels deep", "write flat rows")

    def _check_surrogates(self, record: dict[str, Any]) -> None:
        """Refuses lone UTF-16 surrogates, which JSON can escape but UTF-8 cannot encode."""
        for column in self._keys:
            cell = record.get(column)
            texts = cell if isinstance(cell, list) else [cell]
            for text in texts:
                if isinstance(text, str) and _SURROGATE.search(text):
                    raise self.error(column, "text", f"half a character, {short_repr(text)}", "write it as UTF-8")

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, line {self._line}" if place else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise BadCell("each key once", f"{short_repr(twice)} again", "rename or drop the others")
    return record


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # Python's limit (sys.set_int_max_str_digits), against quadratic run time.
        raise BadCell("numbers of at most 4,300 digits", f"one of {len(text):,}", "correct the line") from None


def _exact(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise BadCell("a number of ordinary size", short_repr(text), "correct the line") from None


# NaN and Infinity are no JSON, but many writers use NaN for a missing value. In a column that nobody needs, they do no
# harm; elsewhere NaN is a blank cell, as in Parquet.
DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_whole, parse_float=_exact, parse_constant=float)
