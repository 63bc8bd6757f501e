"""Figures, axes and legends in the page's style, with matplotlib."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from shortlist.report import svg, theme
from shortlist.sanitize import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.7
"""Width of a plot in inches."""
TEXT = 9.5
"""Size of text in points."""
SMALL = 8.5
"""Size of labels within a plot in points."""
_LEGEND_CHARACTERS = 58


@contextlib.contextmanager
def new_figure(width: float, height: float) -> Iterator[tuple[Figure, list[str]]]:
    """Yields a figure, and a list that contains its SVG after the body."""
    import matplotlib
    from matplotlib.figure import Figure

    svgs: list[str] = []
    settings: dict[str, Any] = {
        # "none" keeps text as text in the page's own font. The salt makes ids, and so the page, reproducible.
        "svg.fonttype": "none",
        "svg.hashsalt": "shortlist",
        "font.size": TEXT,
        "text.color": theme.INK,
        # A "$" in a title would otherwise start a formula.
        "text.parse_math": False,
        "axes.labelcolor": theme.QUIET,
        "axes.edgecolor": theme.GRID,
        "axes.unicode_minus": True,
        "xtick.color": theme.QUIET,
        "ytick.color": theme.QUIET,
        "xtick.labelcolor": theme.INK,
        "ytick.labelcolor": theme.INK,
        "hatch.color": theme.GROUND,
        "hatch.linewidth": 0.8,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Text stays text: the page's own font draws it.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, svgs
        buffer = io.StringIO()
        # Dates and versions in the metadata would change the page with each run.
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    svgs.append(svg.for_page(buffer.getvalue()))


def new_axes(figure: Figure) -> Axes:
    """Returns axes with a line at the bottom alone."""
    axes = figure.add_subplot()
    _remove_frame(axes)
    return axes


def _remove_frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def draw_grid(axes: Axes, axis: Literal["x", "y"]) -> None:
    """Draws the grid of one axis behind the plot."""
    axes.grid(axis=axis, color=theme.GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def labels_of(names: Sequence[str]) -> list[str]:
    """Returns names as labels: control characters would make the SVG unreadable."""
    return list(map(plain, names))


def legend_label(name: str) -> str:
    """Returns a name as a label of a legend, from which matplotlib leaves out names that start with "_"."""
    return f" {plain(name)}" if name.startswith("_") else plain(name)


def add_legend_entry(axes: Axes, name: str, style: theme.Style) -> None:
    """Adds a series to the legend by its marker."""
    axes.plot([], [], style.marker, color=style.colour, label=legend_label(name), markersize=6)


def draw_legend(axes: Axes, names: Sequence[str]) -> None:
    """Puts the legend above the plot, in as many columns as fit there."""
    room = _LEGEND_CHARACTERS // (max(map(len, names)) + 4)
    axes.figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=max(1, min(len(names), room)),
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.2,
        borderaxespad=0.2,
        handlelength=1.6,
    )


def whole_number_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Puts ticks of the x axis at whole numbers, if its values are whole."""
    from matplotlib.ticker import MaxNLocator

    # Values of only 0 and 1 are the ends of an axis of shares, which needs fractions.
    if all(float(value).is_integer() for value in values) and max(values, default=0) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
