"""The catalogue of a pushed version, `assets.extra/candidates.parquet`: ids, titles and attributes of its candidates.

Format 1, one row per candidate, in the order of the model's rows:

    row             int64, the candidate's row in the model, from 0
    id              string; the rows are sorted by its bytes
    title           string, null if the candidate or the config has none
    attribute_NAME  per feature of the candidates but texts: list<string> for a category or several (empty if missing),
                    float for a number and int64 for a time in seconds since 1970 (null if missing)

The key `shortlist` of the file's metadata is JSON: `format_version`, `title` (the title's feature, or null) and
`attributes` (name to the feature's type in the config).
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

from shortlist.config.features import FeatureType
from shortlist.errors import BadInputError
from shortlist.model_files import CANDIDATES_FILE

FORMAT_VERSION = 1
"""Must increase with each incompatible change. Columns may be added without one."""

ROW = "row"
ID = "id"
TITLE = "title"
_PREFIX = "attribute_"
_METADATA_KEY = b"shortlist"
_COLUMN_TYPES = {
    FeatureType.CATEGORY: pa.list_(pa.string()),
    FeatureType.MULTI_CATEGORY: pa.list_(pa.string()),
    FeatureType.NUMERIC: pa.float32(),
    FeatureType.TIMESTAMP: pa.int64(),
}


def has_attribute(kind: FeatureType) -> bool:
    """Returns whether features of a type are attributes; texts are not."""
    return kind in _COLUMN_TYPES


def column_of(attribute: str) -> str:
    """Returns the column of an attribute; the prefix keeps an attribute `title` apart from the title."""
    return _PREFIX + attribute


def schema(title: str | None, attributes: Mapping[str, FeatureType]) -> pa.Schema:
    """Returns the file's schema with its metadata.

    Args:
      title: The feature that is the title; None without titles.
      attributes: Attribute name to its type.
    """
    fields = [pa.field(ROW, pa.int64(), nullable=False), pa.field(ID, pa.string(), nullable=False)]
    fields.append(pa.field(TITLE, pa.string()))
    fields += [pa.field(column_of(name), _COLUMN_TYPES[kind]) for name, kind in sorted(attributes.items())]
    described = {
        "format_version": FORMAT_VERSION,
        "title": title,
        "attributes": {name: kind.value for name, kind in sorted(attributes.items())},
    }
    return pa.schema(fields, {_METADATA_KEY: json.dumps(described).encode("utf-8")})


class Catalogue(Mapping[str, "str | None"]):
    """The candidates of a pushed version; as a mapping, candidate id to title.

    Ids and titles are read at the first look-up, attributes one by one.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Reads the file's header.

        Raises:
          BadInputError: The file is damaged, or of a newer format.
        """
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            described = json.loads((self._file.schema_arrow.metadata or {})[_METADATA_KEY])
            version = int(described["format_version"])
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
            raise BadInputError.from_reason(
                path, "a catalogue that Shortlist wrote", str(error).split("\n")[0], "copy or export the model again"
            ) from None
        if version > FORMAT_VERSION:
            raise BadInputError.from_parts(
                path, f"format {FORMAT_VERSION} at most", version, "use the version of Shortlist that pushed the model"
            )
        self.attributes = {str(name): FeatureType(kind) for name, kind in described["attributes"].items()}
        """Attribute name to its type."""
        self.has_titles = described["title"] is not None
        """Whether the config names a feature as the title."""

    @classmethod
    def of_version(cls, folder: pathlib.Path) -> Catalogue | None:
        """Returns the catalogue of a version; None if the version was pushed before there were catalogues."""
        path = folder / CANDIDATES_FILE
        return cls(path) if path.exists() else None

    @functools.cached_property
    def ids(self) -> pa.ChunkedArray:
        """[corpus_size] ids, in the order of the model's rows."""
        return self._file.read([ID]).column(ID)

    @functools.cached_property
    def titles(self) -> pa.ChunkedArray:
        """[corpus_size] titles, null if missing."""
        return self._file.read([TITLE]).column(TITLE)

    def attribute(self, name: str) -> pa.ChunkedArray:
        """Returns [corpus_size] values of an attribute.

        Raises:
          KeyError: The catalogue has no such attribute.
        """
        if name not in self.attributes:
            raise KeyError(name)
        return self._file.read([column_of(name)]).column(column_of(name))

    def row(self, candidate_id: object) -> int | None:
        """Returns the model's row of a candidate; None if the model does not know it."""
        if not isinstance(candidate_id, str):
            return None
        # By bisection rather than with a dict, which would take 100 bytes per candidate. The order of UTF-8 bytes is
        # that of Python's strings.
        low, high = 0, len(self.ids)
        while low < high:
            middle = (low + high) // 2
            if self.ids[middle].as_py() < candidate_id:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.ids) and self.ids[low].as_py() == candidate_id else None

    def __getitem__(self, candidate_id: str) -> str | None:
        row = self.row(candidate_id)
        if row is None:
            raise KeyError(candidate_id)
        title: Any = self.titles[row].as_py()
        return None if title is None else str(title)

    def __contains__(self, candidate_id: object) -> bool:
        return self.row(candidate_id) is not None

    def __iter__(self) -> Iterator[str]:
        return (item.as_py() for item in self.ids)

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)
