"""A report as one page: no network, no file beside it, and nothing in titles, paths or reasons that could be markup."""

from __future__ import annotations

import functools
import pathlib
from typing import TYPE_CHECKING

from shortlist.lineage import page
from shortlist.report.blocks import Graph, Page

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = pathlib.Path(__file__).parent / "templates"


def render(report: Page) -> str:
    """Returns the page."""
    graphs = [block.data for section in report.sections for block in section.blocks if isinstance(block, Graph)]
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            css=page.part("page.css") + (_TEMPLATES / "report.css").read_text(encoding="utf-8"),
            js=(_TEMPLATES / "report.js").read_text(encoding="utf-8"),
            graph=page.part("graph.html"),
            graph_js=page.part("page.js"),
            graph_data=graphs[0] if graphs else None,
        )
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = page.environment(_TEMPLATES)
    environment.tests["kind"] = lambda block, name: type(block).__name__ == name
    environment.filters["drawn"] = lambda figure: list(figure.draw())
    return environment
