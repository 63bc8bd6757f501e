"""Draws README's picture from the latest run: `python docs/make_pictures.py WORKSPACE`."""

from __future__ import annotations

import io
import pathlib
import re
import sys

from rich.console import Console
from rich.text import Text

from shortlist.cli import results
from shortlist.summary import read_summary

PICTURE = pathlib.Path(__file__).parent / "images" / "run.svg"
_COLUMNS = 124


def main(workspace: pathlib.Path) -> None:
    """Writes the terminal picture of a workspace's latest run.

    Args:
      workspace: The workspace; its path is left out of the picture.
    """
    path = workspace / "runs" / "latest" / "summary.json"
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=True, color_system="standard", width=_COLUMNS)
    results.print_summary(read_summary(path), path, pathlib.Path("configs/movielens_100k.yaml"), console)
    text = printed.getvalue().replace(f"{workspace.absolute().parent.parent}/", "")
    picture = Console(record=True, width=_COLUMNS, file=io.StringIO())
    picture.print(Text.from_ansi(f"$ make run\n{text}"))
    PICTURE.parent.mkdir(exist_ok=True)
    svg = picture.export_svg(title="Shortlist on MovieLens 100K")
    # No font from the network: the reader's own monospaced one does.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
