"""Python environments of the contenders: the product's own, or one made from a lock file for a family of peers."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from benchmarks.quality import contenders

ROOT = pathlib.Path(__file__).parents[2]
_STAMP = ".made-from"


def lock_of(name: str) -> str:
    """Returns the text of an environment's lock file."""
    file = "runtime" if name == contenders.PRODUCT else name
    return (ROOT / "requirements" / f"{file}.txt").read_text()


def python_of(name: str) -> pathlib.Path:
    """Returns the interpreter of an environment, which is made or updated first if its lock file changed."""
    if name == contenders.PRODUCT:
        return pathlib.Path(sys.executable)
    folder = ROOT / ".tools" / name
    python, stamp = folder / "bin" / "python", folder / _STAMP
    lock = lock_of(name)
    if not (python.exists() and stamp.exists() and stamp.read_text() == lock):
        print(f"Making {folder.relative_to(ROOT)} from requirements/{name}.txt (once) ...", flush=True)
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "sync", "--quiet", "--python", str(python), "--require-hashes", f"requirements/{name}.txt")
        stamp.write_text(lock)
    return python


def _uv(*arguments: str) -> None:
    subprocess.run(["/usr/bin/env", "bash", "requirements/uv.sh", *arguments], cwd=ROOT, check=True)
