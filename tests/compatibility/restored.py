"""A recorded workspace, unpacked into a test's folder."""

from __future__ import annotations

import contextlib
import pathlib
import sqlite3
import tarfile

ARCHIVE = pathlib.Path(__file__).parent / "workspace-0.1.0.tar.xz"


def restore(folder: pathlib.Path) -> None:
    """Unpacks the archive into a folder, as if the runs had been there, because ML Metadata has absolute paths."""
    with tarfile.open(ARCHIVE) as tar:
        tar.extractall(folder, filter="data")
    recorded_at = (folder / "RECORDED_AT").read_text(encoding="utf-8")
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".yaml", ".log"):
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
            path.write_text(text.replace(recorded_at, str(folder)), encoding="utf-8", errors="surrogateescape")
    latest = folder / "workspace/runs/latest"
    if latest.is_symlink() and latest.readlink().is_absolute():
        target = str(latest.readlink()).replace(recorded_at, str(folder))
        latest.unlink()
        latest.symlink_to(target)
    for file in folder.rglob("*.sqlite"):
        _replace(file, recorded_at, str(folder))


def _replace(file: pathlib.Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        for table, column in (
            ("Artifact", "uri"),
            ("ArtifactProperty", "string_value"),
            ("ExecutionProperty", "string_value"),
            ("ContextProperty", "string_value"),
        ):
            store.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))
