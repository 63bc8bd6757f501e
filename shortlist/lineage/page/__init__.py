"""One self-contained HTML page that shows what made a model: a graph to click, search and fold.

It asks no network for anything, and its security policy would not let it. The data stands in it as JSON and comes to
the screen as text, so that nothing in a title, a path or a reason can be markup.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

from shortlist.lineage import as_json
from shortlist.lineage.serving import ServingState
from shortlist.lineage.stages import STAGES
from shortlist.lineage.trace import Trace

if TYPE_CHECKING:
    import jinja2

_FILES = pathlib.Path(__file__).parent


def render(name: str, trace: Trace, served: ServingState) -> str:
    """Returns the page.

    Args:
      name: The pipeline's.
      trace: What made one version.
      served: What is served now, and what was.
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
            js=part("page.js"),
            data=data,
        )
    )


def part(name: str) -> str:
    """Returns a part of the page: `graph.html`, where the graph is drawn, `page.css` or `page.js`."""
    return (_FILES / name).read_text(encoding="utf-8")


def environment(folder: pathlib.Path) -> jinja2.Environment:
    """Returns the environment of the templates in a folder: values are escaped, an undefined one is an error.

    Data goes into a script element by the filter `tojson`: nothing in it can end the element.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
