"""Types of data sets and their sources."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

Progress = Callable[[str], None]
"""Called with one line of text for the user at a time."""

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""Converts a source's files (content by name) to those of the normal form."""

PART_SUFFIX = ".part"
"""Ending of the name of a partial download, which is kept after a failed fetch."""


class SourceError(Exception):
    """Reason of one source's failure; the next source is tried."""


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a data set's normal form.

    Attributes:
      rows: Number of data rows, without the header.
      sha256: SHA-256, in hex.
      pins: Content of the checksum: all bytes of the file, or the rows of a Parquet file (`parquet.rows_sha256`), whose
        bytes depend on the version of the writer.
      columns: Columns that a checksum of rows covers; all by default. Sources may differ in the others.
    """

    rows: int
    sha256: str
    pins: Literal["bytes", "rows"] = "bytes"
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Context:
    """Folders and progress of one fetch.

    Attributes:
      data_dir: Folder of all data sets.
      scratch: Folder for temporary files. Files named `*.part` are kept after a failed fetch, and the next fetch
        resumes them.
      progress: Called with one line of text for the user at a time.
    """

    data_dir: pathlib.Path
    scratch: pathlib.Path
    progress: Progress


class Source(Protocol):
    """One source of a data set."""

    @property
    def name(self) -> str:
        """Name of the source in messages and in SOURCE.json."""

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the contents of the normal form's files, by name.

        Raises:
          SourceError: The source cannot be reached, or its data is not the pinned one.
        """


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set in its normal form.

    Attributes:
      name: Name in `shortlist data fetch`.
      folder: Name of its folder in the data folder.
      files: Row counts and checksums by file name, the same for all sources.
      sources: Sources in the order in which they are tried.
      facts: Entries for SOURCE.json: home page, licence, citation.
      remedy: Advice for the user if all sources fail; `{data_dir}` is filled in.
      needs: Other data sets, fetched first: a config that names this one also reads their tables.
      caveat: Returns a sentence on what the files in a folder lack, for the user; None if they lack nothing.
    """

    name: str
    folder: str
    files: Mapping[str, File]
    sources: tuple[Source, ...]
    facts: Mapping[str, str]
    remedy: str
    needs: tuple[DataSet, ...] = ()
    caveat: Callable[[pathlib.Path], str | None] = lambda _: None


@dataclasses.dataclass(frozen=True)
class FetchResult:
    """Result of `fetch`.

    Attributes:
      name: The data set's name.
      path: Folder of its files.
      source: Source of the files, from SOURCE.json.
      fetched: False if the files existed already with the right checksums.
      files: Row counts and checksums by file name.
      seconds: Wall time.
      caveat: See `DataSet.caveat`.
    """

    name: str
    path: pathlib.Path
    source: str
    fetched: bool
    files: Mapping[str, File]
    seconds: float
    caveat: str | None = None
