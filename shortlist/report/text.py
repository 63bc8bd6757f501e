"""A report as text: the same chapters and tables for a terminal, without the plots."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from shortlist.report.blocks import Block, Example, Examples, Figure, Graph, Notes, Page, TableBlock, Tiles
from shortlist.sanitize import plain

_LONGEST_CELL = 60


def write(report: Page, console: Console) -> None:
    """Prints a report.

    Args:
      report: Any.
      console: Wide enough for its tables; in a pipe, too.
    """
    console.print(Text(plain(report.title), style="bold"))
    console.print(Text(plain(report.subtitle), style="dim"))
    console.print()
    console.print(Text(report.status, style={"good": "bold green", "held": "bold yellow"}.get(report.mood, "bold red")))
    for reason in [*report.reasons, *([report.protocol] if report.protocol else [])]:
        console.print(Text(plain(reason)))
    for section in report.sections:
        console.print()
        console.print(Text(section.title.upper(), style="bold"))
        if section.lead:
            console.print(Text(plain(section.lead)))
        for block in section.blocks:
            _write_block(block, console)


def _write_block(block: Block, console: Console) -> None:
    if isinstance(block, TableBlock):
        _write_table(block, console)
    elif isinstance(block, Figure | Graph):
        _write_table(block.table, console)
    elif isinstance(block, Notes):
        head = "" if block.kind == "plain" else f"{block.kind.capitalize()}: "
        for sentence in block.sentences:
            console.print(Text(head + plain(sentence), style="dim" if block.kind == "plain" else ""))
    elif isinstance(block, Tiles):
        for tile in block.tiles:
            console.print(Text(plain(f"{tile.label}: {tile.value} ({tile.detail})")))
    elif isinstance(block, Examples):
        for example in block.examples:
            _write_example(example, console)


def _write_table(table: TableBlock, console: Console) -> None:
    found = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left", title_style="italic")
    found.title = Text(plain(table.caption))
    for column in table.columns:
        found.add_column(column.title, justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        found.add_row(*(Text(_shortened(plain(cell))) for cell in row))
    console.print()
    console.print(found)


def _write_example(example: Example, console: Console) -> None:
    earlier = f"{example.earlier} earlier, then " if example.earlier > 0 else ""
    console.print()
    console.print(Text(plain(f"{example.name} took {earlier}{', '.join(example.history) or 'nothing'}")))
    console.print(Text(plain(f"  then {example.target}, {example.outcome}")))
    for place, answer in enumerate(example.answers, start=1):
        mark = " <- taken next" if answer.is_target else ""
        console.print(Text(plain(f"  {place:>2}. {answer.name}{mark}")))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
