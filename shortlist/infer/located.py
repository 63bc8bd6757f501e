"""Paths of tables as a user types them: from the data folder, or else from the current folder."""

from __future__ import annotations

import os
import pathlib

from shortlist.config import paths
from shortlist.errors import DataError
from shortlist.quoting import closest
from shortlist.tables import inputs


def locate(path: str, data_root: str | os.PathLike[str], here: str | os.PathLike[str]) -> str:
    """Returns a path of existing files as a config must have it.

    That is the path itself if the data folder has the files, or if it is a URI. Files that exist from the current
    folder are named relative to the data folder if they are below it, and by their absolute path otherwise.

    Args:
      path: A file, folder or pattern, as typed.
      data_root: Start of relative paths in a config.
      here: The current folder.

    Raises:
      DataError: No files are at either place.
    """
    if paths.is_uri(path) or inputs.find(path, data_root):
        return path
    root, from_here = os.path.abspath(data_root), os.path.abspath(os.path.join(here, path))
    if not os.path.isabs(path) and inputs.find(from_here, data_root):
        is_below = pathlib.Path(from_here).is_relative_to(root)
        return os.path.relpath(from_here, root) if is_below else from_here
    places = list(dict.fromkeys((paths.full_path(path, os.fspath(data_root)), from_here)))
    raise DataError.from_parts(
        path,
        f"a file at {' or '.join(places)}",
        "an empty folder" if any(os.path.isdir(place) for place in places) else "nothing there",
        _remedy(places, data_root),
    )


def _remedy(places: list[str], data_root: str | os.PathLike[str]) -> str:
    for place in map(pathlib.Path, places):
        if place.parent.is_dir() and (near := closest(place.name, os.listdir(place.parent))):
            return f"did you mean {near!r}?"
    return f"relative paths start in {os.fspath(data_root)} (SHORTLIST_DATA_DIR), or else in the current folder"
