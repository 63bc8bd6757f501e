"""SHA-256 of each table of a config, as a run pins it."""

from __future__ import annotations

import os

from shortlist import fingerprints, inputs
from shortlist.config import types


def content_sha256(config: types.Config, data_root: str | os.PathLike[str]) -> dict[str, str]:
    """Returns table name to the fingerprint of its files' names and bytes.

    Args:
      config: Says which files.
      data_root: Where relative paths start; may be a URI.

    Raises:
      DataError: A file cannot be listed or read, or is being written.
    """
    return {
        name: fingerprints.content_sha256(
            inputs.find(table.path, data_root, table.last_spans if isinstance(table, types.Interactions) else None)
        )
        for name, table in config.data.tables.items()
    }
