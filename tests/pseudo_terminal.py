"""A program in a pseudo-terminal, and what its screen showed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

# Control sequences: styles, movements of the cursor, deletion of lines.
_CONTROL = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]")
_CHUNK = 65_536


def resize(descriptor: int, columns: int) -> None:
    """Sets the width of a terminal."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))


def run(arguments: Sequence[str], columns: int, env: Mapping[str, str] | None = None, cwd: str | None = None) -> str:
    """Returns all that a program wrote to a terminal of some width, on stdout and stderr; it must end with code 0."""
    leader, follower = pty.openpty()
    resize(follower, columns)
    variables = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        arguments,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**variables, "TERM": "xterm-256color", **(env or {})},
        start_new_session=True,
    )
    os.close(follower)
    parts = []
    # Linux reports the end of a terminal as an error.
    with contextlib.suppress(OSError):
        while part := os.read(leader, _CHUNK):
            parts.append(part)
    os.close(leader)
    text = b"".join(parts).decode("utf-8", "replace")
    assert process.wait() == 0, text[-3000:]
    return text


def final_lines(text: str) -> list[str]:
    """Returns the lines that stay on the screen after all spinners and bars were deleted, without trailing blanks."""
    lines: list[list[str]] = [[]]
    row, column, at = 0, 0, 0
    while at < len(text):
        control = _CONTROL.match(text, at)
        if control:
            at = control.end()
            number, kind = control[1] or "", control[2]
            if kind == "A":
                row = max(0, row - int(number or 1))
            elif kind == "K":
                lines[row] = [] if number == "2" else lines[row][:column]
            continue
        character = text[at]
        at += 1
        if character == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append([])
        elif character == "\r":
            column = 0
        else:
            lines[row] += [" "] * (column - len(lines[row]))
            lines[row][column : column + 1] = [character]
            column += 1
    return ["".join(line).rstrip() for line in lines]
