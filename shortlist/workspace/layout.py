"""Ownership of workspaces: `workspace.json` names the pipeline and the version of the layout."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import shortlist
from shortlist.config import paths, plain_yaml
from shortlist.errors import ConfigError

LAYOUT_VERSION = 1
"""Must increase with each incompatible change of the layout; `claim` then has to upgrade or refuse older ones."""

LAYOUT_FILE = "workspace.json"
LOCK_FILE = ".lock"

# Version 0.1 had the same layout without workspace.json. No other program writes files with these names.
_FILES_OF_0_1 = ("metadata/mlmd.sqlite", "runs/[0-9]*T[0-9]*Z*")
# Files of an empty workspace: Shortlist's own, and the lost+found of a fresh disk.
_IGNORED_FILES = {LOCK_FILE, f".{LAYOUT_FILE}.part", "lost+found"}


def check(root: pathlib.Path, name: str) -> None:
    """Raises an error unless a folder is this pipeline's workspace or can become it; writes nothing.

    Args:
      root: The workspace; need not exist.
      name: The pipeline's name.

    Raises:
      ConfigError: The path could be taken for a pattern. Or the folder belongs to another pipeline or to a newer
        Shortlist, or has other files in it.
    """
    paths.check_no_pattern(root)
    owner = owner_of(root)
    if owner is not None and owner != name:
        raise ConfigError.from_parts(
            "workspace",
            f"a folder of the pipeline {name!r}",
            f"that of {owner!r} in {root}",
            "give each pipeline its own workspace",
        )


def claim(root: pathlib.Path, name: str) -> None:
    """Makes a folder this pipeline's workspace, atomically; does nothing if it already is.

    The caller must hold the workspace's lock.

    Raises:
      ConfigError: See `check`.
      OSError: The file system failed.
    """
    check(root, name)
    path = root / LAYOUT_FILE
    if path.exists():
        return
    content = {"layout_version": LAYOUT_VERSION, "name": name, "made_by": f"shortlist {shortlist.__version__}"}
    partial = root / f".{LAYOUT_FILE}.part"
    with partial.open("w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        # Otherwise a power failure could leave an empty workspace.json under the final name.
        os.fsync(file.fileno())
    os.replace(partial, path)


def owner_of(root: pathlib.Path) -> str | None:
    """Returns the pipeline that a workspace belongs to; None if it is free or its owner is unknown.

    Raises:
      ConfigError: The folder cannot be read, has other files, or is of a newer Shortlist.
    """
    try:
        entries = {entry.name for entry in os.scandir(root)}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError.from_reason("workspace", f"a folder at {root}", error.strerror) from None
    if LAYOUT_FILE in entries:
        return _declared_owner(root / LAYOUT_FILE)
    if any(any(root.glob(pattern)) for pattern in _FILES_OF_0_1):
        return _owner_in_0_1(root)
    other_files = sorted(entries - _IGNORED_FILES)
    if other_files:
        raise ConfigError.from_parts(
            "workspace",
            f"an empty folder or a workspace at {root}",
            f"one with {other_files[0]!r} in it",
            "set `workspace` to an empty folder",
        )
    return None


def _declared_owner(path: pathlib.Path) -> str:
    content = _read(path)
    version, owner = content.get("layout_version"), content.get("name")
    # isinstance would accept a bool as an int.
    if type(version) is not int or version < 1 or not isinstance(owner, str):
        raise ConfigError.from_parts(
            path,
            f'{{"layout_version": {LAYOUT_VERSION}, "name": ...}}',
            "something else",
            "restore the file, or set `workspace` to another folder",
        )
    if version > LAYOUT_VERSION:
        raise ConfigError.from_parts(
            path,
            f"layout_version {LAYOUT_VERSION} at most",
            f"{version}, made by {content.get('made_by', 'a newer Shortlist')}",
            "use that version, or another workspace",
        )
    return owner


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError.from_reason(path, "a readable file", error.strerror, "check its permissions") from None
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _owner_in_0_1(root: pathlib.Path) -> str | None:
    """Returns the name in the newest run's config; None if no run got as far as writing one."""
    for path in sorted(root.glob(f"{_FILES_OF_0_1[-1]}/config.yaml"), reverse=True):
        try:
            config = plain_yaml.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and "name" in config:
            return str(config["name"])
    return None
