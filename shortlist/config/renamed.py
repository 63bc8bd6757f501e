"""Renamed config keys. The old names are still read, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

RENAMED: Mapping[str, str] = {"model.query_tower.newcomers": "model.query_tower.cold_start_fraction"}
"""Old dotted key to new one; both are in the same section."""


class RenamedKeyWarning(FutureWarning):
    """An old key in a user's config; the command line shows it in one line."""


class RenamedTwice(Exception):
    """A section with both the old and the new key; the message is for users."""


def rename_keys(raw: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Returns a config with the new keys, and warns of each old one.

    Args:
      raw: The config file as a dict; not changed.
      source: Name of the file, for warnings and errors.

    Raises:
      RenamedTwice: A section has both the old and the new key.
    """
    config = dict(raw)
    for old, new in RENAMED.items():
        *path, old_name = old.split(".")
        new_name = new.rpartition(".")[2]
        section = _copied(config, path)
        if section is not None and old_name in section:
            _rename(section, old_name, new_name, f"{source}: {old} and {new}")
            _warn(source, old, new)
        space = _copied(config, ["tune", "space"])
        if space is not None and old in space:
            _rename(space, old, new, f"{source}: tune.space has {old} and {new}")
            _warn(source, f"tune.space.{old}", f"tune.space.{new}")
    return config


def rename_recorded(section_path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the recorded values of one section under their new names, without a warning.

    Args:
      section_path: Dotted path of the section, such as `model.query_tower`.
      values: Values by name, as an older version recorded them.
    """
    names = {
        old.rpartition(".")[2]: new.rpartition(".")[2]
        for old, new in RENAMED.items()
        if old.rpartition(".")[0] == section_path
    }
    return {names.get(name, name): value for name, value in values.items()}


def _copied(raw: dict[str, Any], path: list[str]) -> dict[str, Any] | None:
    """Returns the section at a path, or None. The section and its parents are replaced in `raw` by copies."""
    for name in path:
        child = raw.get(name)
        if not isinstance(child, Mapping):
            return None
        raw[name] = dict(child)
        raw = raw[name]
    return raw


def _rename(section: dict[str, Any], old: str, new: str, both: str) -> None:
    if new in section:
        raise RenamedTwice(f"{both} are the same setting; remove the first")
    # In place and complete, to keep the order of the keys.
    renamed_items = [({old: new}.get(name, name), value) for name, value in section.items()]
    section.clear()
    section.update(renamed_items)


def _warn(source: str, old: str, new: str) -> None:
    warnings.warn(f"{source}: {old} is now called {new}", RenamedKeyWarning, stacklevel=4)
