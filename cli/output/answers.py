"""The answer to `shortlist recommend`: a line on the history, the time of the request, notes, and the candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.output import consoles
from shortlist.sanitize import plain, printable

_RECENT = 3


def print_answer(
    rows: Sequence[Mapping[str, Any]],
    history_ids: Sequence[str],
    titles: Mapping[str, str | None],
    as_of: str | None,
    notes: Sequence[str],
    as_json: bool,
) -> None:
    """Prints an answer as text, or its rows as JSON and the rest on stderr.

    Args:
      rows: rank, id, score and title of each recommended candidate.
      history_ids: Candidate ids of the history, oldest first.
      titles: Title by candidate id.
      as_of: The time of the request, for users; None for a model that does not use it.
      notes: Sentences on an unknown query, and on what is left out.
      as_json: Whether to print JSON.
    """
    console = consoles.console(stderr=as_json)
    recent = [plain(titles.get(item) or item) for item in history_ids[-_RECENT:]]
    console.print(f"History: {len(history_ids)} interactions; the last: {', '.join(recent) or 'none'}", soft_wrap=True)
    if as_of is not None:
        console.print(f"As of:   {plain(as_of)}", soft_wrap=True)
    for note in notes:
        console.print(f"Note:    {plain(note)}", soft_wrap=True)
    if as_json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
    else:
        _print_table(rows)


def _print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("rank", "id", "score"):
        table.add_column(column, justify="right")
    table.add_column("title")
    for row in rows:
        # Text, since rich reads strings as markup: "[rec]" would vanish, and "[/]" would be an error.
        cells = [str(row["rank"]), printable(row["id"]), f"{row['score']:.3f}", printable(row["title"] or "")]
        table.add_row(*map(Text, cells))
    consoles.console().print(table)
