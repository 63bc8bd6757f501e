"""Manifest of a pushed version: size and SHA-256 of each file, by which a damaged version is recognised."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib

from shortlist.model_files import MANIFEST_FILE

_CHUNK_BYTES = 1 << 20
# TensorFlow itself checks the variables' checksums when it loads them, and they are most of a model.
_VARIABLES = "variables/"


def write(folder: pathlib.Path) -> None:
    """Writes the manifest of a folder into it; an earlier one is replaced."""
    target = folder / MANIFEST_FILE
    target.unlink(missing_ok=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in files
    }
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def find_damage(folder: pathlib.Path, with_variables: bool = False) -> str | None:
    """Returns the first difference between a folder and its manifest; None if there is none.

    Versions that were pushed before there were manifests have none, and no damage.

    Args:
      folder: Folder of one version.
      with_variables: Whether to read the variables, too, which takes a second per GB.

    Raises:
      OSError: A file cannot be read.
    """
    path = folder / MANIFEST_FILE
    try:
        files = dict(json.loads(path.read_text(encoding="utf-8")))
        expected = [(name, int(file["bytes"]), str(file["sha256"])) for name, file in files.items()]
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return f"a damaged {MANIFEST_FILE}"
    for name, size, sha256 in expected:
        file = folder / name
        if not os.path.isfile(file):
            return f"no {name}"
        found = file.stat().st_size
        if found != size:
            return f"{name} with {found:,} bytes instead of {size:,}"
        if (with_variables or not name.startswith(_VARIABLES)) and _sha256(file) != sha256:
            return f"other content in {name}"
    return None


def _sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
