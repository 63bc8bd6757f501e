"""Draws docs/images/layers.svg from the import contract: `python -m docs.draw_layers`.

The floors are the layers of `[tool.importlinter]` in pyproject.toml. Each room has the first sentence of its docstring
and the rooms that it really imports.
"""

from __future__ import annotations

import ast
import dataclasses
import html
import pathlib
import textwrap
from typing import Any

import grimp
import tomli

ROOT = pathlib.Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "layers.svg"

_WIDTH = 760
_MARGIN = 14
_TEXT_X = 152
_COLUMNS = 75
_LINE = 20
_GAP = 16
# The picture has a ground of its own: GitHub's theme may differ from the system's, which the media query sees.
_STYLE = """
  .ground { fill: #ffffff } .floor { fill: #f3f5f7; stroke: #c3cad2 } .part { fill: #e6eef6; stroke: #8a9bad }
  text { font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1b2530 }
  .name { font-weight: 600 } .uses { font-size: 12.5px; fill: #56636f } .arrow { stroke: #56636f; fill: none }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #12171d } .floor { fill: #1f2730; stroke: #46525f } .part { fill: #182634; stroke: #5b7188 }
    text { fill: #e6ebf0 } .uses { fill: #a9b4bf } .arrow { stroke: #a9b4bf }
  }
"""


@dataclasses.dataclass(frozen=True)
class Room:
    """A package, or a package or module of the foundation."""

    name: str
    holds: str
    uses: list[str]


Floors = list[list[Room]]


def draw() -> str:
    """Returns the picture as SVG: a package per floor, and the floors of the package that is layered inside."""
    linter = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    outside, inside = (contract for contract in linter["contracts"] if contract["type"] == "layers")
    graph = grimp.build_graph(*linter["root_packages"], cache_dir=None)
    foundation = inside["containers"][0]
    packages = _floors(outside, "", foundation, graph)
    rooms = _floors(inside, f"{foundation}.", foundation, graph)
    drawing = _Drawing()
    for number, floor in enumerate(packages):
        if number:
            drawing.arrow()
        if foundation in [room.name for room in floor]:
            drawing.frame(foundation, rooms)
        else:
            drawing.floor(floor, "part")
    return drawing.svg()


def _floors(contract: dict[str, Any], prefix: str, foundation: str, graph: grimp.ImportGraph) -> Floors:
    layers = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    return [[_room(prefix + name, foundation, graph) for name in layer] for layer in layers]


def _room(module: str, foundation: str, graph: grimp.ImportGraph) -> Room:
    modules = {module, *graph.find_descendants(module)}
    imported = {found for one in modules for found in graph.find_modules_directly_imported_by(one)}
    named = {_name(found, module, foundation) for found in imported - modules}
    return Room(module.removeprefix(f"{foundation}."), _holds(module), sorted(named - {""}))


def _name(imported: str, importer: str, foundation: str) -> str:
    """Returns the room of an imported module; for a package outside the foundation, the package."""
    package, _, rest = imported.partition(".")
    return rest.partition(".")[0] if importer.startswith(f"{foundation}.") else package


def _holds(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.partition("\n\n")[0].split())
    return first.partition(". ")[0].removesuffix(".").replace("`", "")


class _Drawing:
    """Shapes from top to bottom."""

    def __init__(self) -> None:
        self._shapes: list[str] = []
        self._y = _MARGIN

    def floor(self, rooms: list[Room], style: str, margin: int = _MARGIN) -> None:
        """Adds a box with one room below the other."""
        top, texts = self._y, []
        y = top + 8
        for room in rooms:
            lines = textwrap.wrap(room.holds, _COLUMNS)
            texts.append(_text("name", margin + 12, y + 15, room.name))
            texts += [_text("", _TEXT_X, y + 15 + _LINE * number, line) for number, line in enumerate(lines)]
            y += _LINE * len(lines)
            for line in textwrap.wrap("uses " + ", ".join(room.uses), _COLUMNS + 14) if room.uses else []:
                texts.append(_text("uses", _TEXT_X, y + 14, line))
                y += _LINE - 2
            y += 5
        self._box(style, margin, top, y + 3 - top)
        self._shapes += texts
        self._y = y + 3 + _GAP

    def frame(self, name: str, floors: Floors) -> None:
        """Adds a box with floors in it."""
        place, top = len(self._shapes), self._y
        self._shapes.append(_text("name", _MARGIN + 12, top + 22, name))
        self._shapes.append(_text("", _TEXT_X, top + 22, _holds(name)))
        self._y += 34
        for number, rooms in enumerate(floors):
            if number:
                self.arrow()
            self.floor(rooms, "floor", _MARGIN + 10)
        box = len(self._shapes)
        self._box("part", _MARGIN, top, self._y - _GAP + 10 - top)
        self._shapes.insert(place, self._shapes.pop(box))
        self._y += 10

    def arrow(self) -> None:
        """Adds an arrow in the gap between two floors."""
        x, tip = _WIDTH // 2, self._y - 2
        path = f"M{x} {tip - 11}V{tip}M{x - 4} {tip - 4}L{x} {tip}L{x + 4} {tip - 4}"
        self._shapes.append(f'<path class="arrow" d="{path}"/>')

    def svg(self) -> str:
        """Returns all shapes on a ground."""
        height = self._y - _GAP + _MARGIN
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
                "<title>Layers of the source tree; imports go downwards only</title>",
                f"<style>{_STYLE}</style>",
                f'<rect class="ground" width="{_WIDTH}" height="{height}" rx="8"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )

    def _box(self, style: str, margin: int, top: int, height: int) -> None:
        size = f'width="{_WIDTH - 2 * margin}" height="{height}"'
        self._shapes.append(f'<rect class="{style}" x="{margin}" y="{top}" {size} rx="6"/>')


def _text(style: str, x: int, y: int, text: str) -> str:
    attribute = f'class="{style}" ' if style else ""
    return f'<text {attribute}x="{x}" y="{y}">{html.escape(text, quote=False)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
