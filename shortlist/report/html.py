"""A report as one self-contained page without network access. Text from the data is escaped."""

from __future__ import annotations

import collections
import functools
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from shortlist.lineage import page
from shortlist.report import svg
from shortlist.report.blocks import Block, Figure, Graph, Page, TableBlock, Tiles
from shortlist.verdicts import explanation

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


def render(report: Page) -> str:
    """Returns the page as HTML."""
    graphs = (block.data for section in report.sections for block in section.blocks if isinstance(block, Graph))
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            css=page.part("page.css") + (_TEMPLATES / "report.css").read_text(encoding="utf-8"),
            js=(_TEMPLATES / "report.js").read_text(encoding="utf-8"),
            graph=page.part("graph.html"),
            graph_js=page.script(),
            graph_data=next(graphs, None),
            draw=_Drawing().draw,
            explanation=explanation(report.gates),
            placed=placed,
        )
    )


def placed(blocks: Sequence[Block]) -> list[tuple[Block, str]]:
    """Returns each block with its place in a grid of two columns: `half`, `wide`, or `alone`.

    A block that would stand beside an empty place is `alone`, and as wide as both.
    """
    found: list[tuple[Block, str]] = []
    waiting = False
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        if not _is_half(block, following):
            waiting = False
            found.append((block, "wide"))
        elif waiting:
            waiting = False
            found.append((block, "half"))
        elif following is not None and _is_half(following, None):
            waiting = True
            found.append((block, "half"))
        else:
            found.append((block, "alone"))
    return found


def _is_half(block: Block, following: Block | None) -> bool:
    if isinstance(block, TableBlock):
        return not block.wide and not block.folded
    if isinstance(block, Tiles):
        return isinstance(following, Figure) and not following.wide
    return isinstance(block, Figure) and not block.wide


class _Drawing:
    """Draws the figures of one page; a plot that occurs again gets ids of its own."""

    def __init__(self) -> None:
        self._times: collections.Counter[str] = collections.Counter()

    def draw(self, figure: Figure) -> list[str]:
        return [self._unique(drawn) for drawn in figure.draw()]

    def _unique(self, drawn: str) -> str:
        self._times[drawn] += 1
        times = self._times[drawn]
        return drawn if times == 1 else svg.with_number(drawn, times)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page.environment(_TEMPLATES)
    environment.tests["kind"] = _is_kind
    return environment


def _is_kind(block: Block, name: str) -> bool:
    """Returns whether a block is of a class.

    Raises:
      ValueError: There is no such class of blocks: the template has a wrong name.
    """
    if name not in {kind.__name__ for kind in get_args(Block)}:
        raise ValueError(f"{name!r} is not a kind of block")
    return type(block).__name__ == name
