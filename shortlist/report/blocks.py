"""What a report is made of, before it is a page or text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class TableColumn:
    """One column of a table."""

    title: str
    numeric: bool = True


@dataclasses.dataclass(frozen=True)
class TableBlock:
    """Figures, as text that is ready to be read."""

    caption: str
    """What it is, of what, with the denominator."""
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    folded: bool = False
    """Whether it is only for who asks."""

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return len(self.columns) > _MOST_NARROW


_MOST_NARROW = 4


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot and the table behind it."""

    title: str
    what: str
    """What is to be seen in it, in a sentence, for those who cannot see it too."""
    draw: Callable[[], Sequence[str]]
    """Returns SVGs; called only where somebody will see them."""
    table: TableBlock


@dataclasses.dataclass(frozen=True)
class Notes:
    """Sentences of one kind."""

    kind: str
    """`plain`, `warning` or `advice`."""
    sentences: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Tile:
    """One figure that everybody asks for."""

    label: str
    value: str
    detail: str
    """Its denominator, or what it is compared with."""


@dataclasses.dataclass(frozen=True)
class Tiles:
    """Some of them side by side."""

    tiles: Sequence[Tile]


@dataclasses.dataclass(frozen=True)
class Answer:
    """One line of what a query was answered."""

    name: str
    detail: str
    is_target: bool


@dataclasses.dataclass(frozen=True)
class Example:
    """One query."""

    name: str
    history: Sequence[str]
    """Titles, oldest first."""
    earlier: int
    """How many more came before these."""
    target: str
    outcome: str
    """Where the target was ranked."""
    answers: Sequence[Answer]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Some of them."""

    examples: Sequence[Example]


@dataclasses.dataclass(frozen=True)
class Graph:
    """The steps of a run, to click, search and fold."""

    data: Mapping[str, Any]
    """What `shortlist.lineage.page` draws."""
    table: TableBlock


Block = TableBlock | Figure | Notes | Tiles | Examples | Graph


@dataclasses.dataclass(frozen=True)
class PageSection:
    """A chapter."""

    key: str
    """Names it in addresses: a-z and dashes."""
    title: str
    lead: str
    """What it says in a sentence or two; may be empty."""
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    subtitle: str
    status: str
    """How the run ended, in two or three words."""
    mood: str
    """`good`, `held` (nothing pushed) or `bad`."""
    reasons: Sequence[str]
    protocol: str
    """How the figures were measured, in one sentence; empty where nothing was."""
    sections: Sequence[PageSection]
