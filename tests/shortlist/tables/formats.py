"""One table of texts in every format that is read, by file name."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl

from tests.shortlist.tables.tables import parquet_bytes

Rows = Sequence[Sequence[Any]]


def delimited(columns: Sequence[str], rows: Rows, delimiter: str = ",", end: str = "\n") -> str:
    """Returns delimited text; cells are quoted if they have to be."""
    return "".join(delimiter.join(_field(cell, delimiter) for cell in row) + end for row in (columns, *rows))


def _field(cell: Any, delimiter: str) -> str:
    text = "" if cell is None else str(cell)
    if delimiter == " " and not text:
        return '""'
    if len(delimiter) == 1 and any(character in text for character in (delimiter, '"', "\n")):
        return '"' + text.replace('"', '""') + '"'
    return text


def records(columns: Sequence[str], rows: Rows) -> list[dict[str, Any]]:
    """Returns rows as JSON objects."""
    return [dict(zip(columns, row, strict=True)) for row in rows]


def workbook(columns: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> bytes:
    """Returns the bytes of a workbook with one sheet, and a second one that is not read."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in ([columns] if columns is not None else []) + list(rows):
        sheet.append(list(row))
    book.create_sheet("notes").append(["not", "read"])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Returns the bytes of a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files(columns: Sequence[str], rows: Rows) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Returns the content and the options in the config of each file.

    Args:
      columns: Names of the columns.
      rows: Texts, numbers or None, without `::` and line ends.
    """
    csv = delimited(columns, rows).encode()
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records(columns, rows)).encode()
    array = json.dumps(records(columns, rows), ensure_ascii=False).encode()
    pretty = json.dumps(records(columns, rows), indent=2).encode()
    typed = [f"{column}:token" for column in columns]
    headless = {"header": False, "columns": list(columns)}
    parquet = parquet_bytes({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    return {
        "log.csv": (csv, {}),
        "log.csv.gz": (gzip.compress(csv), {}),
        "utf16.csv": (delimited(columns, rows).encode("utf-16"), {}),
        "latin.csv": (delimited(columns, rows).encode("cp1252"), {"encoding": "cp1252"}),
        "crlf.txt": (delimited(columns, rows, end="\r\n").encode(), {}),
        "log.tsv": (delimited(columns, rows, "\t").encode(), {}),
        "log.dat": (delimited(columns, rows, "::").encode(), {}),
        "semicolons.csv": (delimited(columns, rows, ";").encode(), {"delimiter": ";"}),
        "blanks.txt": (delimited(columns, rows, " ").encode(), {"delimiter": " "}),
        "u.data": (delimited(columns, rows, "\t").partition("\n")[2].encode(), headless),
        "log.inter": (delimited(typed, rows, "\t").encode(), {}),
        "log.inter.gz": (gzip.compress(delimited(typed, rows, "\t").encode()), {}),
        "log.jsonl": (lines, {}),
        "lines.json": (lines, {}),
        "log.ndjson.gz": (gzip.compress(lines), {}),
        "utf16.jsonl": (lines.decode().encode("utf-16"), {}),
        "array.json": (array, {}),
        "pretty.json": (pretty, {}),
        "array.json.gz": (gzip.compress(array), {}),
        "array.txt": (array, {"format": "json"}),
        "utf16.json": (array.decode().encode("utf-16"), {}),
        "log.xlsx": (workbook(columns, rows), {}),
        "headless.xlsx": (workbook(None, rows), headless),
        "renamed.csv": (workbook(columns, rows), {"format": "xlsx"}),
        "log.parquet": (parquet, {}),
        "csv.zip": (zipped({"a/log.csv": csv, "__MACOSX/a/._log.csv": b"x"}), {}),
        "tsv.zip": (zipped({"log.tsv": delimited(columns, rows, "\t").encode()}), {}),
        "zipped.csv": (zipped({"log.csv": csv}), {}),
        "gz.zip": (zipped({"log.jsonl.gz": gzip.compress(lines)}), {}),
        "json.zip": (zipped({"array.json": array}), {}),
        "xlsx.zip": (zipped({"log.xlsx": workbook(columns, rows)}), {}),
        "parquet.zip": (zipped({"log.parquet": parquet}), {}),
        "text.zip": (zipped({"log": csv}), {"format": "csv"}),
    }


def time_cells(rows: Rows, column: int) -> list[list[Any]]:
    """Returns rows with the ISO 8601 texts of a column as a workbook's times."""
    return [
        [datetime.datetime.fromisoformat(cell) if index == column else cell for index, cell in enumerate(row)]
        for row in rows
    ]
