"""Colours of plots: one SVG serves the light and the dark scheme.

Matplotlib draws with placeholder colours, which become CSS variables. `page.css` defines them for light, dark and
paper. The colours of series are Okabe and Ito's (2008), which colour-blind readers can distinguish. Markers and dashes
distinguish the series without any colour.
"""

from __future__ import annotations

import dataclasses
import re

INK = "#010101"
QUIET = "#010102"
GRID = "#010103"
GROUND = "#010104"
_VARIABLES = {INK: "--text", QUIET: "--quiet", GRID: "--grid", GROUND: "--card"}


@dataclasses.dataclass(frozen=True)
class Style:
    """Colour, marker and dashes of a series."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]


_SHAPES: tuple[tuple[str, str | tuple[int, tuple[int, ...]]], ...] = (
    ("o", "solid"),
    ("s", (0, (4, 2))),
    ("D", (0, (1, 1))),
    ("^", (0, (6, 2, 1, 2))),
    ("v", (0, (3, 1))),
    ("P", (0, (8, 2))),
    ("X", (0, (2, 2))),
)
SERIES = tuple(Style(f"#0102{number:02x}", marker, dashes) for number, (marker, dashes) in enumerate(_SHAPES))
_VARIABLES |= {style.colour: f"--series-{number}" for number, style in enumerate(SERIES)}
_COLOUR = re.compile("|".join(_VARIABLES))


def style(position: int) -> Style:
    """Returns the style of the series at a position; after the seventh, styles repeat."""
    return SERIES[position % len(SERIES)]


def apply_theme(svg: str) -> str:
    """Returns SVG with CSS variables instead of the placeholder colours."""
    return _COLOUR.sub(lambda match: f"var({_VARIABLES[match[0]]})", svg)
