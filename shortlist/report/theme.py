"""Colours of plots: one SVG for light and dark, since a browser fills them in.

Matplotlib draws with stand-ins, which become CSS variables; `page.css` says what they are in light, in dark and on
paper. The colours of series are Okabe and Ito's (2008), which the colour-blind tell apart; markers and dashes say the
same again for those who see no colour at all.
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
    """How a series looks."""

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
SERIES = tuple(Style(f"#0102{place:02x}", marker, dashes) for place, (marker, dashes) in enumerate(_SHAPES))
_VARIABLES |= {style.colour: f"--series-{place}" for place, style in enumerate(SERIES)}
_COLOUR = re.compile("|".join(_VARIABLES))


def style(place: int) -> Style:
    """Returns the style of a series; after the seventh they come again."""
    return SERIES[place % len(SERIES)]


def apply_theme(svg: str) -> str:
    """Returns SVG with CSS variables for the stand-ins."""
    return _COLOUR.sub(lambda found: f"var({_VARIABLES[found[0]]})", svg)
