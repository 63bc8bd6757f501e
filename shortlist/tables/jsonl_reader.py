"""JSON Lines -> rows of cells as JSON has them, numbers exact."""

from __future__ import annotations

import decimal
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from shortlist.scalars import BadCell, shown
from shortlist.tables.spec import TableSpec
from shortlist.tables.table_reader import Row, TableReader
from shortlist.tables.text_lines import TextLines

# A column that none of so many rows has is missing; keys that are seldom there may come later.
HEADER_ROWS = 1000

_ONE_OBJECT = "one JSON object"
_LINES = "write each row as an object on a line of its own, e.g. pandas: to_json(path, orient='records', lines=True)"
_SURROGATE = re.compile("[\ud800-\udfff]")
_KINDS = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}


class JsonlReader(TableReader):
    """One object a line, its keys are the columns; a key that is missing is a blank cell. Plain or gzip."""

    def __init__(self, file: BinaryIO, spec: TableSpec, name: str):
        super().__init__(spec, name)
        self._line = 0
        self._file = file
        self._lines = TextLines(file, name, "JSON Lines")
        self.columns = self._first_keys()
        # A file without rows lacks nothing: engines write such parts.
        if self.columns:
            self._check_columns()

    def __iter__(self) -> Iterator[Row]:
        """Yields row numbers and cells: text, bool, int, Decimal, list, dict or None; blank lines are no rows."""
        self._lines = TextLines(self._file, self._name, "JSON Lines")
        needed = list(self._keys)
        for record in self._records():
            yield self._row, {column: record.get(column) for column in needed}

    @property
    def bytes_read(self) -> int:
        """Bytes so far, decompressed."""
        return self._lines.bytes_read

    def estimated_rows(self, size: int) -> int:
        """Returns about how many rows the file has, from the share of it that was read."""
        share = self._lines.share_read(size)
        return round(self.rows_read / share) if share else 0

    def _first_keys(self) -> list[str]:
        """Returns the keys of the first rows; looks no further than to find all that are needed."""
        keys: dict[str, None] = {}
        for record in itertools.islice(self._records(), HEADER_ROWS):
            keys |= dict.fromkeys(record)
            if self._keys and self._keys.keys() <= keys.keys():
                break
        self._row = -1
        return list(keys)

    def _records(self) -> Iterator[dict[str, Any]]:
        for line, text in enumerate(self._lines, start=1):
            self._line = line
            if text.isspace():
                continue
            record = self._decoded(text)
            self._row += 1
            if "\\u" in text:
                self._check_surrogates(record)
            yield record

    def _decoded(self, text: str) -> dict[str, Any]:
        try:
            record = _DECODER.decode(text)
        except json.JSONDecodeError as error:
            reason = f"{error.msg.removesuffix(' at')} at character {error.colno}"
            remedy = _LINES if text.strip() in ("[", "{") else "correct the line"
            raise self._lines.error(self._line, _ONE_OBJECT, f"{shown(text.strip())} ({reason})", remedy) from None
        except BadCell as bad:
            raise self._lines.error(self._line, bad.expected, bad.got, bad.remedy) from None
        except RecursionError:
            raise self._lines.error(self._line, _ONE_OBJECT, "one nested too deeply", "write rows flat") from None
        if not isinstance(record, dict):
            raise self._lines.error(self._line, _ONE_OBJECT, _KINDS.get(type(record), "a number"), _LINES)
        return record

    def _check_surrogates(self, record: dict[str, Any]) -> None:
        """Refuses halves of a UTF-16 pair, which JSON can spell and no text can hold."""
        for column in self._keys:
            cell = record.get(column)
            for text in cell if isinstance(cell, list) else [cell]:
                if isinstance(text, str) and _SURROGATE.search(text):
                    raise self.error(column, "text", f"half a character, {shown(text)}", "write it as UTF-8")

    def _place(self) -> str:
        place = super()._place()
        return f"{place}, line {self._line}" if place else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadCell("each key once", f"{shown(twice)} again", "rename or drop the others")
    return record


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadCell("numbers of at most 4,300 digits", f"one of {len(text):,}", "correct the line") from None


def _exact(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise BadCell("numbers of any size that data has", shown(text), "correct the line") from None


def _refused(constant: str) -> Any:
    raise BadCell("JSON", f"{constant}, which JSON does not have", "write null for what is missing")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_whole, parse_float=_exact, parse_constant=_refused)
