"""What a data set is, and what a source of one must do."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

Progress = Callable[[str], None]
"""Called with one line for a person at a time."""

Convert = Callable[[Mapping[str, bytes]], dict[str, bytes]]
"""From a source's files (name to content) to the normal form's."""

PART_SUFFIX = ".part"
"""Ends the name of a download that is not whole yet; such a file outlives a failed fetch."""


class SourceError(Exception):
    """Why one source could not give the data; the next one is tried."""


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a data set's normal form.

    Attributes:
      rows: Data rows, the header not counted.
      sha256: SHA-256, in hex.
      pins: What it is the SHA-256 of: all bytes of the file, or the rows of a Parquet file (`parquet.rows_sha256`),
        whose bytes depend on the version of what wrote it.
    """

    rows: int
    sha256: str
    pins: Literal["bytes", "rows"] = "bytes"


@dataclasses.dataclass(frozen=True)
class Context:
    """Where a source may work.

    Attributes:
      data_dir: Folder that holds the data sets.
      scratch: Folder for what is half done; files called `*.part` outlive a failed fetch, so that the next one goes on.
      progress: Told what goes on.
    """

    data_dir: pathlib.Path
    scratch: pathlib.Path
    progress: Progress


class Source(Protocol):
    """One place that a data set can come from."""

    @property
    def name(self) -> str:
        """What the source is called in messages and in SOURCE.json."""

    def build(self, context: Context) -> dict[str, bytes]:
        """Returns the normal form's files, name to content.

        Raises:
          SourceError: The source cannot be reached, or gave something else than what is pinned.
        """


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set in its normal form.

    Attributes:
      name: What a user calls it.
      folder: Its folder's name under the data folder.
      files: File name to what it must hold, whichever source it came from.
      sources: Tried in this order.
      facts: Written into SOURCE.json as they are: home page, licence, citation.
      remedy: What a user can do if no source works; `{data_dir}` is filled in.
    """

    name: str
    folder: str
    files: Mapping[str, File]
    sources: tuple[Source, ...]
    facts: Mapping[str, str]
    remedy: str


@dataclasses.dataclass(frozen=True)
class FetchResult:
    """What `fetch` found or made.

    Attributes:
      name: The data set's name.
      path: Folder of its files.
      source: Where the files came from, as SOURCE.json says.
      fetched: False if the files were there already and their checksums were right.
      files: File name to rows and checksum.
      seconds: Wall time.
    """

    name: str
    path: pathlib.Path
    source: str
    fetched: bool
    files: Mapping[str, File]
    seconds: float
