"""Parts of a report, independent of its form as a page or text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shortlist.verdicts import GateResult


@dataclasses.dataclass(frozen=True)
class TableColumn:
    """One column of a table."""

    title: str
    numeric: bool = True


@dataclasses.dataclass(frozen=True)
class TableBlock:
    """A table with formatted cells."""

    caption: str
    """Content of the table, with the denominator of shares."""
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    folded: bool = False
    """Whether the page hides the table until the reader opens it."""

    @property
    def wide(self) -> bool:
        """Whether the table needs the whole width of a page."""
        return len(self.columns) > _MOST_NARROW


_MOST_NARROW = 4


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot and the table behind it."""

    title: str
    description: str
    """Content of the plot in one sentence, also for screen readers."""
    draw: Callable[[], Sequence[str]]
    """Returns SVGs. Only pages call it, as it imports matplotlib."""
    table: TableBlock
    wide: bool = False
    """Whether it has several plots, which need the whole width of a page."""


@dataclasses.dataclass(frozen=True)
class Notes:
    """Sentences of one kind."""

    kind: str
    """`plain`, `warning` or `advice`."""
    sentences: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Tile:
    """One key figure."""

    label: str
    value: str
    detail: str
    """The figure's denominator, or a comparison."""


@dataclasses.dataclass(frozen=True)
class Tiles:
    """Key figures, side by side."""

    tiles: Sequence[Tile]


@dataclasses.dataclass(frozen=True)
class Answer:
    """One recommended candidate."""

    name: str
    detail: str
    is_target: bool


@dataclasses.dataclass(frozen=True)
class Example:
    """One query with its history, target and recommendations."""

    name: str
    history: Sequence[str]
    """Titles of the latest history, oldest first."""
    earlier: int
    """Number of earlier interactions that `history` leaves out."""
    target: str
    outcome: str
    """The target's rank, in words."""
    answers: Sequence[Answer]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Several example queries."""

    examples: Sequence[Example]


@dataclasses.dataclass(frozen=True)
class Graph:
    """The steps of a run as an interactive graph."""

    data: Mapping[str, Any]
    """The graph's data for `shortlist.lineage.page`."""
    table: TableBlock


Block = TableBlock | Figure | Notes | Tiles | Examples | Graph


@dataclasses.dataclass(frozen=True)
class PageSection:
    """A chapter of a report."""

    key: str
    """The chapter's name in addresses: a-z and dashes."""
    title: str
    lead: str
    """Summary in a sentence or two; may be empty."""
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class Link:
    """A sentence that leads to another page."""

    text: str
    address: str
    """Relative to the page."""


@dataclasses.dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    status: str
    """The run's outcome, in a few words."""
    mood: str
    """`good`, `held` (nothing pushed) or `bad`."""
    gates: Sequence[GateResult]
    """One result per gate, in the order of the pipeline; empty for a comparison."""
    reasons: Sequence[str]
    """Other reasons of the outcome."""
    protocol: str
    """The evaluation protocol in one sentence; empty if nothing was measured."""
    sections: Sequence[PageSection]
    links: Sequence[Link] = ()
