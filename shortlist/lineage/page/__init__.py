"""Self-contained HTML page with a model's lineage as a graph to click, search and fold.

The page loads nothing from the network, and its security policy forbids it. Its data is JSON that the script shows as
text, so a title, a path or a reason can never act as markup.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from shortlist.lineage import as_json
from shortlist.lineage.serving import ServingState
from shortlist.lineage.stages import STAGES
from shortlist.lineage.trace import Trace
from shortlist.sanitize import printable_lines

if TYPE_CHECKING:
    import jinja2

_FILES = pathlib.Path(__file__).parent


def render(name: str, trace: Trace, served: ServingState) -> str:
    """Returns the page.

    Args:
      name: Name of the pipeline.
      trace: Trace of one version.
      served: The served version and all pushes.
    """
    data = {
        "name": name,
        "stages": STAGES,
        "trace": as_json.trace(trace),
        "served": as_json.served(served),
    }
    return (
        environment(_FILES)
        .get_template("page.html")
        .render(
            title=f"{name} {trace.version}: lineage",
            graph=part("graph.html"),
            css=part("page.css"),
            js=script(),
            data=data,
        )
    )


def part(name: str) -> str:
    """Returns a part of the page: `graph.html` (the container of the graph), `page.css` or a script."""
    return (_FILES / name).read_text(encoding="utf-8")


def script() -> str:
    """Returns the script of the page, with the library that lays out the graph and that library's licence."""
    licence = part("vendor/dagre/LICENSE")
    return f"/*! dagre\n{licence}*/\n" + "\n".join(map(part, ("vendor/dagre/dagre.min.js", "layout.js", "page.js")))


def _finalized(value: object) -> object:
    """Returns a value of a template; text of the data is made printable, as on a terminal."""
    # Markup, a subclass, is a part of the page itself or already escaped.
    return printable_lines(value) if type(value) is str else value


def environment(folder: pathlib.Path) -> jinja2.Environment:
    """Returns the environment of the templates in a folder. It escapes values and refuses undefined ones.

    Control characters and those that turn the direction of text are replaced in values.

    Data in a script element needs the filter `tojson`, so that no text in it can end the element.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
    )
