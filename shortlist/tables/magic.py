"""Recognition of files by their first bytes, with the step that makes an unexpected one readable."""

from __future__ import annotations

import dataclasses

from shortlist.errors import DataError
from shortlist.tables.spec import Format, Kind

HEAD_BYTES = 512
"""Number of a file's first bytes that decide its kind."""

ZIP = b"PK\x03\x04"
GZIP = b"\x1f\x8b"

_TAB = 9
_AS_CSV = "write its table as CSV"
_PANDAS = "write it as Parquet, e.g. with pandas: pd.{}(path).to_parquet(path)"


@dataclasses.dataclass(frozen=True)
class _Content:
    """A kind of content, by its first bytes."""

    magic: bytes
    noun: str
    remedy: str
    """What makes the file readable; `{table}` is the table's section of the config."""

    format: Format | None = None
    offset: int = 0
    is_binary: bool = False
    """Whether the first bytes alone could be text, so that others must show that they are not."""

    def begins(self, head: bytes) -> bool:
        """Returns whether a file with these first bytes has this kind."""
        if head[self.offset : self.offset + len(self.magic)] != self.magic:
            return False
        return not self.is_binary or any(byte < _TAB for byte in head)


_CONTENTS = (
    _Content(b"PAR1", "a Parquet file", "set {table}.format: parquet, or rename the file", "parquet", is_binary=True),
    _Content(
        b"SQLite format 3\0",
        "an SQLite database",
        'write its table as CSV: sqlite3 -header -csv log.sqlite "select * from log" > log.csv',
    ),
    _Content(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old Excel workbook (.xls), or one with a password",
        "save it as .xlsx, e.g. with LibreOffice: soffice --convert-to xlsx log.xls",
    ),
    _Content(b"%PDF-", "a PDF document", _AS_CSV),
    _Content(GZIP, "a gzip file", "unpack it with gunzip"),
    _Content(ZIP, "a zip file within another archive", "unpack the outer one"),
    _Content(b"PK\x05\x06", "an empty zip file", "fetch it again"),
    _Content(b"1AY&SY", "a bzip2 file", "unpack it with bunzip2", offset=4),
    _Content(b"\xfd7zXZ\0", "an xz file", "unpack it with unxz"),
    _Content(b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd"),
    _Content(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with 7z x"),
    _Content(b"Rar!\x1a\x07", "a RAR archive", "unpack it with unrar x"),
    _Content(b"ustar", "a tar archive", "unpack it with tar -xf", offset=257),
    _Content(b"\x89HDF\r\n\x1a\n", "an HDF5 file", _PANDAS.format("read_hdf")),
    _Content(b"ARROW1\0\0", "an Arrow or Feather file", _PANDAS.format("read_feather")),
    _Content(b"ORC", "an ORC file", _PANDAS.format("read_orc"), is_binary=True),
    _Content(
        b"Obj\x01", "an Avro file", "write it as Parquet or JSON Lines, e.g. avro-tools tojson log.avro > log.jsonl"
    ),
    _Content(b"\x93NUMPY", "a NumPy array", "write it as CSV: pd.DataFrame(np.load(path)).to_csv(path, index=False)"),
    *(
        _Content(bytes([0x80, version]), "a Python pickle, which is code and was not run", "write its table as Parquet")
        for version in range(2, 6)
    ),
    _Content(b"<!DOCTYPE html", "a web page", "fetch the file itself, not the page about it"),
    _Content(b"<!doctype html", "a web page", "fetch the file itself, not the page about it"),
    _Content(b"<html", "a web page", "fetch the file itself, not the page about it"),
    _Content(b"<?xml", "an XML document", "write it as JSON Lines or CSV"),
    _Content(b"version https://git-lfs", "a Git LFS pointer instead of the file", "fetch the file: git lfs pull"),
)


def check(head: bytes, kind: Kind, name: str, expected: Format) -> None:
    """Refuses a file of a known kind that is not of the expected format.

    Args:
      head: The first `HEAD_BYTES` of the file.
      kind: The table, for remedies.
      name: Name of the file, for errors.
      expected: Format by which the file is to be read.

    Raises:
      DataError: The file has another kind, which the error names.
    """
    for content in _CONTENTS:
        if content.format != expected and content.begins(head):
            raise DataError.from_parts(
                name, described(expected), content.noun, content.remedy.format(table=f"data.{kind}")
            )


def described(format: Format) -> str:
    """Returns a noun for a format, with its article, for errors."""
    nouns: dict[Format, str] = {
        "csv": "a text file such as CSV",
        "jsonl": "a text file of JSON Lines",
        "json": "a text file of JSON",
        "xlsx": "an Excel workbook (.xlsx)",
        "parquet": "a whole Parquet file",
    }
    return nouns[format]
