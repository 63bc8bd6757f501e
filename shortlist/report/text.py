"""A report as text for a terminal: all chapters and tables, without plots."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from shortlist.report import format
from shortlist.report.blocks import Block, Example, Examples, Figure, Graph, Notes, Page, TableBlock, TableColumn, Tiles
from shortlist.sanitize import plain
from shortlist.text_tables import TextColumn, print_table
from shortlist.verdicts import explanation

_LONGEST_CELL = 60


def write(report: Page, console: Console) -> None:
    """Prints a report.

    Args:
      report: The report of a run, or a comparison.
      console: A console that is wide enough for the tables, also in a pipe.
    """
    console.print(Text(plain(report.title), style="bold"))
    console.print(Text(plain(report.subtitle), style="dim"))
    console.print()
    console.print(Text(report.status, style={"good": "bold green", "held": "bold yellow"}.get(report.mood, "bold red")))
    for sentence in [*(f"{link.text}." for link in report.links), *report.reasons]:
        console.print(Text(plain(sentence)))
    for gate in report.gates:
        console.print(Text(f"  {gate.result.sign:<6} {gate.name}: {plain(gate.sentence)}"))
    for sentence in (explanation(report.gates), report.protocol):
        if sentence:
            console.print(Text(plain(sentence)))
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
        _write_notes(block, console)
    elif isinstance(block, Tiles):
        for tile in block.tiles:
            console.print(Text(plain(f"{tile.label}: {tile.value} ({tile.detail})")))
    elif isinstance(block, Examples):
        for example in block.examples:
            _write_example(example, console)


def _write_notes(notes: Notes, console: Console) -> None:
    prefix, style = f"{notes.kind.capitalize()}: ", ""
    if notes.kind == "plain":
        prefix, style = "", "dim"
    for sentence in notes.sentences:
        console.print(Text(prefix + plain(sentence), style=style))


def _write_table(block: TableBlock, console: Console) -> None:
    columns = [
        TextColumn(column.title, column.numeric, wraps=not column.numeric, drop=_drop(number, column))
        for number, column in enumerate(block.columns)
    ]
    console.print()
    console.print(Text(plain(block.caption), "italic"))
    print_table(console, columns, [[format.shorten(plain(cell), _LONGEST_CELL) for cell in row] for row in block.rows])


def _drop(number: int, column: TableColumn) -> int:
    """Returns how early a column is left out on a narrow terminal: intervals first, then the last numbers."""
    if number == 0 or not column.numeric:
        return 0
    return 2 if "95%" in column.title else 1


def _write_example(example: Example, console: Console) -> None:
    earlier = ""
    if example.earlier > 0:
        earlier = f"{example.earlier} earlier, then "
    console.print()
    console.print(Text(plain(f"{example.name}, history: {earlier}{', '.join(example.history) or 'none'}")))
    console.print(Text(plain(f"  target: {example.target}, {example.outcome}")))
    for rank, answer in enumerate(example.answers, start=1):
        line = f"  {rank:>2}. {answer.name}, {answer.detail}"
        if answer.is_target:
            line += " <- target"
        console.print(Text(plain(line)))
