"""The answer to `shortlist recommend`: a line on the history, the time of the request, notes, and the candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from cli.output import consoles
from shortlist.sanitize import plain, printable
from shortlist.text_tables import TextColumn, print_table

_RECENT = 3


def print_answer(
    source: str,
    rows: Sequence[Mapping[str, Any]],
    history_ids: Sequence[str],
    titles: Mapping[str, str | None],
    as_of: str | None,
    notes: Sequence[str],
    as_json: bool,
) -> None:
    """Prints an answer as text, or its rows as JSON and the rest on stderr.

    Args:
      source: Name of the pipeline, and the version.
      rows: rank, id, score and title of each recommended candidate.
      history_ids: Candidate ids of the history, oldest first.
      titles: Title by candidate id.
      as_of: The time of the request, for users; None for a model that does not use it.
      notes: Sentences on an unknown query, and on what is left out.
      as_json: Whether to print JSON.
    """
    console = consoles.console(stderr=as_json)
    recent = [plain(titles.get(item) or item) for item in history_ids[-_RECENT:]]
    console.print(f"Model:   {source}")
    console.print(f"History: {len(history_ids)} interactions; the last: {', '.join(recent) or 'none'}")
    if as_of is not None:
        console.print(f"As of:   {as_of}")
    for note in notes:
        console.print(f"Note:    {note}")
    if as_json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
    else:
        _print_table(rows)


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [
        TextColumn("rank"),
        TextColumn("id"),
        TextColumn("score", drop=1),
        TextColumn("title", right=False, wraps=True),
    ]
    # Text, since a string would lose what looks like credentials: an id may be an address.
    cells = []
    for row in rows:
        texts = (str(row["rank"]), printable(row["id"]), f"{row['score']:.3f}", printable(row["title"] or ""))
        cells.append([Text(text) for text in texts])
    print_table(consoles.console(), columns, cells)
