"""Where contenders run: the product's own environment, or one made from a lock for a family of peers."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from benchmarks.quality import contenders

ROOT = pathlib.Path(__file__).parents[2]
_STAMP = ".made-from"


def lock_of(name: str) -> str:
    """Returns the lock that decides every version of an environment."""
    path = ROOT / "requirements" / ("runtime.txt" if name == contenders.PRODUCT else f"{name}.txt")
    return path.read_text()


def python_of(name: str) -> pathlib.Path:
    """Returns the interpreter of an environment, making it or bringing it in line with its lock first."""
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
