"""One self-contained HTML page that shows what made a model: a graph to click, search and fold.

It asks no network for anything, and its security policy would not let it. The data stands in it as JSON and comes to
the screen as text, so that nothing in a title, a path or a reason can be markup.
"""

from __future__ import annotations

import html
import json
import pathlib
from collections.abc import Mapping

from shortlist.lineage import as_json
from shortlist.lineage.serving import Served
from shortlist.lineage.stages import STAGES
from shortlist.lineage.trace import Trace

_FILES = pathlib.Path(__file__).parent


def render(name: str, trace: Trace, served: Served) -> str:
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
    return _filled(
        part("page.html"),
        {
            "title": html.escape(f"{name} {trace.version}: lineage"),
            "graph": part("graph.html"),
            "css": part("page.css"),
            "js": part("page.js"),
            "data": in_script(data),
        },
    )


def part(name: str) -> str:
    """Returns a part of the page: `graph.html`, where the graph is drawn, `page.css` or `page.js`."""
    return (_FILES / name).read_text(encoding="utf-8")


def in_script(data: object) -> str:
    """Returns JSON that may stand in a script element: nothing in it can end that."""
    text = json.dumps(data, ensure_ascii=False)
    # What JSON allows in a string and HTML would read as its own.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Returns a template with `{{part}}` replaced once each; what is put in is not looked at again."""
    pieces = template.split("{{")
    found = [pieces[0]]
    for piece in pieces[1:]:
        part, _, rest = piece.partition("}}")
        found += [parts[part], rest]
    return "".join(found)
