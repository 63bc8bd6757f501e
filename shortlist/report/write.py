"""Writes a run's report into the run's folder."""

from __future__ import annotations

import os
import pathlib

from shortlist.report import html, sections
from shortlist.report.facts import read
from shortlist.workspace import Workspace

FILE = "report.html"


def write_report(workspace: Workspace, run_id: str) -> pathlib.Path:
    """Writes `report.html` of any run, finished or not, atomically and returns its path.

    Raises:
      BadInputError: There is no such run.
    """
    facts = read(workspace, run_id)
    text = html.render(sections.run_page(facts))
    facts.record.folder.mkdir(parents=True, exist_ok=True)
    path = facts.record.folder / FILE
    write_page(text, path)
    return path


def write_page(text: str, path: pathlib.Path) -> None:
    """Writes a file atomically: a reader never sees a part of it."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
