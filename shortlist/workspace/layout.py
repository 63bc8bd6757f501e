"""Which folders are workspaces of this pipeline and of this version of Shortlist: `workspace.json` says so."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import yaml

import shortlist
from shortlist.errors import ConfigError

LAYOUT_VERSION = 1
"""Goes up when a workspace written before cannot be used as it is; `claim` then upgrades or refuses."""

LAYOUT_FILE = "workspace.json"
LOCK_FILE = ".lock"

# 0.1 wrote no file and the same layout, of which these are no other program's.
_MADE_BY_0_1 = ("metadata/mlmd.sqlite", "runs/[0-9]*T[0-9]*Z*")
# What may stand in an empty workspace: ours, and what a fresh disk has.
_NOTHING = {LOCK_FILE, f".{LAYOUT_FILE}.part", "lost+found"}


def check(root: pathlib.Path, name: str) -> None:
    """Refuses a folder that is not this pipeline's workspace and not free to become it; writes nothing.

    Args:
      root: The workspace; need not exist.
      name: The pipeline's name.

    Raises:
      ConfigError: It is another pipeline's, a newer Shortlist's, or somebody's folder that is no workspace at all.
    """
    owner = _owner(root)
    if owner is not None and owner != name:
        raise ConfigError.from_parts(
            "workspace",
            f"a folder of the pipeline {name!r}",
            f"that of {owner!r} in {root}",
            "give each pipeline a workspace of its own",
        )


def claim(root: pathlib.Path, name: str) -> None:
    """Makes a folder this pipeline's workspace, in one step; one that is already stays as it is.

    The caller holds the workspace's lock.

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
        os.fsync(file.fileno())
    os.replace(partial, path)


def _owner(root: pathlib.Path) -> str | None:
    """Returns the pipeline that a workspace belongs to; None if it is free or does not tell."""
    try:
        entries = {entry.name for entry in os.scandir(root)}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError.from_reason("workspace", f"a folder at {root}", error.strerror) from None
    if LAYOUT_FILE in entries:
        return _declared_owner(root / LAYOUT_FILE)
    if any(any(root.glob(pattern)) for pattern in _MADE_BY_0_1):
        return _owner_in_0_1(root)
    strangers = sorted(entries - _NOTHING)
    if strangers:
        raise ConfigError.from_parts(
            "workspace",
            f"an empty folder or a workspace at {root}",
            f"one with {strangers[0]!r} in it",
            "set `workspace` to a folder of its own",
        )
    return None


def _declared_owner(path: pathlib.Path) -> str:
    declared = _read(path)
    version, owner = declared.get("layout_version"), declared.get("name")
    # A bool is an int to isinstance.
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
            f"{version}, made by {declared.get('made_by', 'a newer Shortlist')}",
            "use that version, or another workspace",
        )
    return owner


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        declared = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError.from_reason(path, "a readable file", error.strerror, "check its permissions") from None
    except (ValueError, RecursionError):
        return {}
    return declared if isinstance(declared, dict) else {}


def _owner_in_0_1(root: pathlib.Path) -> str | None:
    """Returns the name in the newest run's config; a run that died early left none."""
    for path in sorted(root.glob(f"{_MADE_BY_0_1[-1]}/config.yaml"), reverse=True):
        try:
            name = yaml.safe_load(path.read_text(encoding="utf-8"))["name"]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue
        return str(name)
    return None
