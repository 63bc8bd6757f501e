"""Draws docs/images/layers.svg from the import contract: `python -m docs.draw_layers`.

The boxes are the layers of `[tool.importlinter]` in pyproject.toml. Each part of a layer has the first sentence of its
docstring and the names of the parts that it imports.
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
# The picture draws its own background, because the media query follows the system's theme and not GitHub's.
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
class Part:
    """A top-level package, or a package or module of the foundation."""

    name: str
    description: str
    uses: list[str]


Layers = list[list[Part]]


def draw() -> str:
    """Returns the picture as SVG: the packages by layer, and the inner layers of the foundation."""
    linter = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    outside, inside = (contract for contract in linter["contracts"] if contract["type"] == "layers")
    graph = grimp.build_graph(*linter["root_packages"], cache_dir=None)
    foundation = inside["containers"][0]
    packages = _layers(outside, "", foundation, graph)
    parts = _layers(inside, f"{foundation}.", foundation, graph)
    drawing = _Drawing()
    for number, layer in enumerate(packages):
        if number:
            drawing.arrow()
        if foundation in [part.name for part in layer]:
            drawing.frame(foundation, parts)
        else:
            drawing.layer(layer, "part")
    return drawing.svg()


def _layers(contract: dict[str, Any], prefix: str, foundation: str, graph: grimp.ImportGraph) -> Layers:
    layers = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    return [[_part(prefix + name, foundation, graph) for name in layer] for layer in layers]


def _part(module: str, foundation: str, graph: grimp.ImportGraph) -> Part:
    modules = {module, *graph.find_descendants(module)}
    imported = {target for source in modules for target in graph.find_modules_directly_imported_by(source)}
    names = {_part_name(target, module, foundation) for target in imported - modules}
    return Part(module.removeprefix(f"{foundation}."), _description(module), sorted(names - {""}))


def _part_name(imported: str, importer: str, foundation: str) -> str:
    """Returns the part of an imported module; for an importer outside the foundation, the top-level package."""
    package, _, rest = imported.partition(".")
    if not importer.startswith(f"{foundation}."):
        return package
    return rest.partition(".")[0]


def _description(module: str) -> str:
    path = ROOT / module.replace(".", "/") / "__init__.py"
    if not path.exists():
        path = path.parent.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.partition("\n\n")[0].split())
    return first.partition(". ")[0].removesuffix(".").replace("`", "")


class _Drawing:
    """Shapes from top to bottom."""

    def __init__(self) -> None:
        self._shapes: list[str] = []
        self._y = _MARGIN

    def layer(self, parts: list[Part], style: str, margin: int = _MARGIN) -> None:
        """Adds a box with one part below the other."""
        top, texts = self._y, []
        y = top + 8
        for part in parts:
            lines = textwrap.wrap(part.description, _COLUMNS)
            texts.append(_text("name", margin + 12, y + 15, part.name))
            texts += [_text("", _TEXT_X, y + 15 + _LINE * number, line) for number, line in enumerate(lines)]
            y += _LINE * len(lines)
            uses = "uses " + ", ".join(part.uses) if part.uses else ""
            for line in textwrap.wrap(uses, _COLUMNS + 14):
                texts.append(_text("uses", _TEXT_X, y + 14, line))
                y += _LINE - 2
            y += 5
        self._box(style, margin, top, y + 3 - top)
        self._shapes += texts
        self._y = y + 3 + _GAP

    def frame(self, name: str, layers: Layers) -> None:
        """Adds a box with layers in it."""
        index, top = len(self._shapes), self._y
        self._shapes.append(_text("name", _MARGIN + 12, top + 22, name))
        self._shapes.append(_text("", _TEXT_X, top + 22, _description(name)))
        self._y += 34
        for number, parts in enumerate(layers):
            if number:
                self.arrow()
            self.layer(parts, "floor", _MARGIN + 10)
        box = len(self._shapes)
        self._box("part", _MARGIN, top, self._y - _GAP + 10 - top)
        self._shapes.insert(index, self._shapes.pop(box))
        self._y += 10

    def arrow(self) -> None:
        """Adds an arrow in the gap between two layers."""
        x, tip = _WIDTH // 2, self._y - 2
        path = f"M{x} {tip - 11}V{tip}M{x - 4} {tip - 4}L{x} {tip}L{x + 4} {tip - 4}"
        self._shapes.append(f'<path class="arrow" d="{path}"/>')

    def svg(self) -> str:
        """Returns the SVG with all shapes on a background."""
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
