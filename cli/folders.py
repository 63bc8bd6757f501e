"""The folder that a user started a command in, and paths relative to it."""

from __future__ import annotations

import os
import pathlib
import re

_started_in: list[pathlib.Path] = []


def remember_start() -> None:
    """Keeps the current folder for `relative`, before the process enters another one."""
    _started_in[:] = [pathlib.Path.cwd()]


def relative(path: str | os.PathLike[str]) -> str:
    """Returns a path, relative to the user's folder if it is below it."""
    absolute, here = pathlib.Path(path).absolute(), _here()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def shortened(text: str) -> str:
    """Returns a text in which the paths below the user's folder are relative to it."""
    return re.sub(rf"(?<![^\s]){re.escape(str(_here()))}/(?=\S)", "", text)


def _here() -> pathlib.Path:
    return _started_in[0] if _started_in else pathlib.Path.cwd()
