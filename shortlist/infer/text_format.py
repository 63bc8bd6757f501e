"""Guesses about the text format of a file: encoding, delimiter, header and decimal mark, from its first bytes."""

from __future__ import annotations

import codecs
import collections
import csv
import dataclasses
import re
import zlib
from collections.abc import Sequence
from typing import Any, BinaryIO

from shortlist.errors import ConfigError, DataError
from shortlist.infer import encodings, layouts
from shortlist.scalars import BadCell, iso_seconds, short_repr
from shortlist.tables import magic, zip_files
from shortlist.tables.spec import Dialect, TableSpec

_HEAD_BYTES = 256 * 2**10
_HEAD_LINES = 400
_DELIMITERS = ("\t", ";", "|", "::", ",", "^", "\x01")
_BLANKS = " "
# Share of lines with the most frequent number of fields, for a delimiter.
_MIN_AGREEMENT = 0.9
_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY = (b"SQLite format", b"%PDF", b"\xd0\xcf\x11\xe0")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
_NAME = re.compile(r"[^\W\d]")


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """Options of a text file that the user has given; None where they are to be guessed."""

    delimiter: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    encoding: str | None = None
    decimal: str | None = None


@dataclasses.dataclass(frozen=True)
class TextFormat:
    """The format of a file as options of its table in the config, with a sentence for each guess."""

    options: dict[str, Any]
    reasons: Sequence[str]


def guess(file: BinaryIO, name: str, spec: TableSpec, given: TextOptions, columns_option: str) -> TextFormat:
    """Returns the options that differ from the defaults of the file's ending.

    Args:
      file: The file, opened for reading bytes, at its start.
      name: Name of the file: its path relative to the data root.
      spec: Spec of the table without a dialect, which knows the defaults of endings.
      given: Options from the user.
      columns_option: Command line option for the names of the columns.

    Raises:
      ConfigError: The file has no header and no names were given, or its layout is none with a row per interaction.
    """
    options: dict[str, Any] = {}
    reasons: list[str] = []
    head, name = _head(file, name)
    format = spec.format_of(name)
    if format not in (None, "csv") or head is None or not head.strip():
        return TextFormat(_given(given, options), reasons)
    if format is None and not head.startswith(_BINARY):
        options["format"] = {b"{": "jsonl", b"[": "json"}.get(head.lstrip()[:1], "csv")
        reasons.append(f"{name}: the ending is unknown; read as {options['format']}.")
    encoding, text, remark = encodings.decoded(head, given.encoding, name)
    if encoding is not None:
        options["encoding"] = encoding
        reasons.append(remark)
    lines = [line for line in text.splitlines() if line.strip()][:_HEAD_LINES]
    if not lines or lines[0].lstrip()[:1] in ("{", "["):
        return TextFormat(_given(given, options), reasons)
    layouts.refuse_preamble(lines, name)
    layouts.refuse_netflix(lines, name)
    delimiter = given.delimiter or _delimiter(lines)
    if delimiter is None:
        layouts.refuse_adjacency(lines, name)
        for candidate in _DELIMITERS:
            layouts.refuse_title(split_lines(lines, candidate), name)
        return TextFormat(_given(given, options), reasons)
    if delimiter != spec.delimiter_of(name):
        options["delimiter"] = delimiter
        reasons.append(f"{name}: fields are separated by {_spoken(delimiter)}.")
    rows = split_lines(lines, delimiter)
    layouts.refuse_adjacency(lines, name, rows)
    layouts.refuse_matrix(rows, name)
    has_header = given.header if given.header is not None else given.columns is None
    if given.columns is not None and given.header is None and tuple(rows[0]) == given.columns:
        raise ConfigError.from_parts(
            columns_option, "names for a file without a header", "the names in its first line", "leave the option out"
        )
    if has_header and given.header is None and _is_data(rows):
        raise _no_header(name, rows, columns_option)
    if not has_header:
        if given.columns is None:
            raise _no_header(name, rows, columns_option)
        options |= {"header": False, "columns": list(given.columns)}
    decimal = given.decimal or _decimal(rows[1 if has_header else 0 :], delimiter)
    if decimal == ",":
        options["decimal"] = decimal
        reasons.append(f"{name}: numbers have a decimal comma.")
    return TextFormat(options, reasons)


def split_lines(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """Returns the fields of each line."""
    if delimiter == _BLANKS:
        return [line.split() for line in lines]
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines]
    try:
        return [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _given(given: TextOptions, options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options with those that the user has given, which readers of other formats check."""
    raw = {key: value for key, value in dataclasses.asdict(given).items() if value is not None}
    if "columns" in raw:
        raw |= {"columns": list(raw["columns"]), "header": False}
    return options | raw


def _head(file: BinaryIO, name: str) -> tuple[bytes | None, str]:
    """Returns the first bytes of the content, decompressed, and its name, which in a zip file is that of the member.

    The bytes are None for binary files.
    """
    start: bytes | None = file.read(_HEAD_BYTES)
    file.seek(0)
    if start is not None and start.startswith(magic.GZIP):
        start = zlib.decompressobj(31).decompress(start, _HEAD_BYTES)
    elif start is not None and start.startswith(magic.ZIP):
        start, name = _member_head(file, name)
    if start is None or start.startswith((magic.ZIP, magic.GZIP)):
        return None, name
    is_utf16 = start.startswith(_BOMS)
    return (None if b"\0" in start and not is_utf16 else start), name


def _member_head(file: BinaryIO, name: str) -> tuple[bytes | None, str]:
    try:
        packed, member_name = zip_files.member(file, name)
        if member_name.endswith(".xml"):  # A workbook with one part.
            return None, name
        return packed.read(_HEAD_BYTES), f"{name}/{member_name}"
    except (DataError, *zip_files.ERRORS):
        return None, name  # The reader refuses it with the reason.
    finally:
        file.seek(0)


def _delimiter(lines: Sequence[str]) -> str | None:
    """Returns the delimiter that cuts nearly all lines into the same number of fields; None if there is none."""
    best: tuple[int, str] | None = None
    for delimiter in _DELIMITERS:
        rows = split_lines(lines, delimiter)
        counts = collections.Counter(map(len, rows))
        fields, count = counts.most_common(1)[0]
        # The header decides, because texts in other lines may have the character too.
        if fields < 2 or count < _MIN_AGREEMENT * len(rows) or len(rows[0]) != fields:
            continue
        if best is None or fields > best[0]:
            best = (fields, delimiter)
    if best is not None:
        return best[1]
    widths = collections.Counter(len(line.split()) for line in lines)
    fields, count = widths.most_common(1)[0]
    if fields >= 2 and count == len(lines) and len(lines) > 1:
        return _BLANKS
    return None


def _is_data(rows: Sequence[Sequence[str]]) -> bool:
    """Returns whether the first row has values like the others: a number or time where they have one, or a repeat."""
    first, others = rows[0], rows[1:]
    if not others:
        return False
    if len(set(first)) < len(first) and any(map(_is_value, first)):
        return True
    for position, cell in enumerate(first):
        column = [row[position] for row in others if position < len(row)]
        if _is_value(cell) and column and all(_is_value(other) or not other for other in column):
            return True
    repeated = sum(
        cell in {row[position] for row in others if position < len(row)} for position, cell in enumerate(first) if cell
    )
    return repeated > 0 and not all(map(_NAME.search, first))


def _is_value(cell: str) -> bool:
    if _NUMBER.fullmatch(cell.strip()):
        return True
    try:
        iso_seconds(cell)
    except BadCell:
        return False
    return True


def _no_header(name: str, rows: Sequence[Sequence[str]], option: str) -> ConfigError:
    roles: tuple[str, ...] = ("user_id", "item_id")
    if option != "--columns":
        roles = ("item_id",) if "candidates" in option else ("user_id",)
    suggested = suggested_names(rows, roles)
    remark = "a guess from their values"
    if set(roles) == {"user_id", "item_id"} <= set(suggested):
        user, item = (rows[0][suggested.index(role)] for role in ("user_id", "item_id"))
        remark += f": is {short_repr(user)} a user and {short_repr(item)} an item?"
    shown = f"{', '.join(map(short_repr, rows[0][:6]))}{' ...' if len(rows[0]) > 6 else ''}"
    return ConfigError.from_parts(
        name,
        "a first line with the names of the columns",
        f"one that looks like data, {shown}",
        f"name the {len(rows[0])} columns in their order, e.g. {option} {','.join(suggested)} ({remark}), or give "
        "--header if the first line has the names",
    )


def suggested_names(rows: Sequence[Sequence[str]], roles: Sequence[str]) -> list[str]:
    """Returns names for the columns of a file without a header, by position and values.

    Args:
      rows: Fields of the first lines.
      roles: Names of the id columns to give, in their order: user_id and item_id for a log.
    """
    found: list[str] = []
    for position in range(len(rows[0])):
        cells = [row[position] for row in rows if position < len(row)]
        found.append(_suggested_name(cells, found, position, roles))
    return found


def _suggested_name(cells: Sequence[str], earlier: Sequence[str], position: int, roles: Sequence[str]) -> str:
    numbers = [float(cell.replace(",", ".")) for cell in cells if _NUMBER.fullmatch(cell.strip())]
    is_numeric = len(numbers) == len(cells)
    is_epoch = is_numeric and all(6e8 < number < 3e18 for number in numbers)
    is_date = not is_numeric and all(map(_is_value, cells))
    if "timestamp" not in earlier and (is_epoch or is_date) and position > 0:
        return "timestamp"
    is_whole = is_numeric and all(number == int(number) for number in numbers)
    if is_numeric and position > 1 and "rating" not in earlier and len(set(numbers)) <= 20 and max(numbers) <= 10:
        return "rating"
    # Fractions are coordinates or amounts, and a value of its own in each row is the row's name.
    is_id = (is_whole or not is_numeric) and (len(set(cells)) < len(cells) or "user_id" not in roles)
    for name in roles:
        if name not in earlier and is_id:
            return name
    return f"column_{position + 1}"


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    for position in range(max(map(len, rows), default=0)):
        cells = [row[position].strip() for row in rows if position < len(row) and row[position].strip()]
        has_commas = any("," in cell for cell in cells) and not any("." in cell for cell in cells)
        if has_commas and all(map(_NUMBER.fullmatch, cells)):
            return ","
    return "."


def _spoken(delimiter: str) -> str:
    return {"\t": "tabs", " ": "blanks", ";": "semicolons"}.get(delimiter, repr(delimiter))


def as_dialect(options: dict[str, Any]) -> Dialect:
    """Returns the options of a table as the dialect of its spec."""
    raw = {key: value for key, value in options.items() if key in {field.name for field in dataclasses.fields(Dialect)}}
    if raw.get("columns") is not None:
        raw["columns"] = tuple(raw["columns"])
    return Dialect(**raw)
