"""The report's plots, from plain data to SVG, without a window or a file."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from shortlist.report import format, svg, theme
from shortlist.sanitize import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 4.7
_SMALL_WIDTH = 2.9
_ROW = 0.3
_TEXT = 9.5
_SMALL = 8.5
_MOST_MARKERS = 40
_LEGEND_CHARACTERS = 58
_LONGEST_LABEL = 18
_RING: dict[str, Any] = {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 1.3}
_SPREAD = 0.12
"""Distance between two series of one group; the distance between groups is 1."""


@dataclasses.dataclass(frozen=True)
class Series:
    """One value per group; None if a group has none."""

    name: str
    values: Sequence[float | None]
    bounds: Sequence[tuple[float, float] | None] = ()
    """Lower and upper bound of each value; optional."""


def dots(
    groups: Sequence[str],
    series: Sequence[Series],
    axis: str,
    marked: int | None = None,
    slanted: bool = False,
    height: float = 3.1,
) -> str:
    """Returns a plot of values as dots and bounds as lines, with the groups from left to right.

    Args:
      groups: Names of the groups.
      series: The values of each series.
      axis: Label of the value axis.
      marked: Index of a group with a ring around its first value.
      slanted: Whether the names of the groups are too long to stand side by side.
      height: Height in inches.
    """
    with _new_figure(_WIDTH, height) as (figure, svgs):
        axes = _axes(figure)
        for position, item in enumerate(series):
            style = theme.style(position)
            for x, value, bounds in _points(item, position, len(series)):
                if bounds:
                    axes.plot([x, x], bounds, color=style.colour, linewidth=2, alpha=0.65)
                axes.plot([x], [value], style.marker, color=style.colour, markersize=6, clip_on=False)
            _add_legend_entry(axes, item.name, style)
        if marked is not None:
            # The first series with a value in the group.
            points = (
                (x, value)
                for position, item in enumerate(series)
                for x, value, _ in _points(item, position, len(series))
                if round(x) == marked
            )
            for point in itertools.islice(points, 1):
                axes.plot(*([number] for number in point), "o", color=theme.INK, **_RING)
        axes.set_xticks(range(len(groups)), _labels(groups))
        if slanted:
            axes.tick_params(axis="x", rotation=30)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(plain(axis))
        _grid(axes, "y")
        _legend(axes, [item.name for item in series])
    return svgs[0]


def rows(groups: Sequence[str], series: Sequence[Series], axis: str) -> str:
    """Returns the plot of `dots` with the groups from top to bottom, for long names."""
    with _new_figure(_WIDTH, 0.9 + _ROW * len(groups) * max(1.0, 0.6 * len(series))) as (figure, svgs):
        axes = _axes(figure)
        for position, item in enumerate(series):
            style = theme.style(position)
            for y, value, bounds in _points(item, position, len(series), spread=2.4):
                if bounds:
                    axes.plot(bounds, [y, y], color=style.colour, linewidth=2, alpha=0.65)
                axes.plot([value], [y], style.marker, color=style.colour, markersize=6, clip_on=False)
            _add_legend_entry(axes, item.name, style)
        axes.set_yticks(range(len(groups)), _labels(groups))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(plain(axis))
        _grid(axes, "x")
        _legend(axes, [item.name for item in series])
    return svgs[0]


@dataclasses.dataclass(frozen=True)
class PlotLine:
    """One line of a panel."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marked: int | None = None
    """Index of the marked point."""


def lines(drawn: Sequence[PlotLine], x_axis: str, y_axis: str, diagonal: bool = False) -> str:
    """Returns a line plot; lines of up to 40 points also have markers.

    Args:
      drawn: The lines.
      x_axis: Label of the x axis.
      y_axis: Label of the y axis.
      diagonal: Also draw the line x = y.
    """
    with _new_figure(_WIDTH, 3.0) as (figure, svgs):
        axes = _axes(figure)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=theme.QUIET, linewidth=1, linestyle=(0, (1, 2)))
        for position, line in enumerate(drawn):
            style = theme.style(position)
            few = len(line.x) <= _MOST_MARKERS
            axes.plot(
                line.x,
                line.y,
                color=style.colour,
                linestyle=style.dashes,
                linewidth=2,
                label=_legend_label(line.name),
                marker=style.marker if few else "",
                markersize=4.5,
            )
            if line.marked is not None:
                point = ([line.x[line.marked]], [line.y[line.marked]])
                axes.plot(*point, "o", color=theme.INK, **_RING)
        axes.margins(y=0.14)
        axes.set_xlabel(plain(x_axis))
        axes.set_ylabel(plain(y_axis))
        _grid(axes, "y")
        if len(drawn) > 1:
            _legend(axes, [line.name for line in drawn])
        _whole_numbers(axes, [x for line in drawn for x in line.x])
    return svgs[0]


def bars(groups: Sequence[str], values: Sequence[float | None], axis: str, position: int = 0) -> str:
    """Returns a plot of horizontal bars with their values, one per group.

    Args:
      groups: Names of the groups, from top to bottom.
      values: One value per group.
      axis: Label of the value axis.
      position: Position of the colour in `theme.SERIES`.
    """
    with _new_figure(_WIDTH, 0.7 + 0.25 * len(groups)) as (figure, svgs):
        axes = _axes(figure)
        bar_lengths = [value or 0.0 for value in values]
        axes.barh(range(len(groups)), bar_lengths, color=theme.style(position).colour, height=0.62)
        for y, value in enumerate(values):
            axes.annotate(
                _bar_label(value), (value or 0.0, y), (4, 0), textcoords="offset points", va="center", fontsize=_SMALL
            )
        axes.set_xlim(0, max([*bar_lengths, 1e-9]) * 1.16)
        axes.set_xlabel(plain(axis))
        axes.set_xticks([])
        axes.set_yticks(range(len(groups)), _labels(groups))
        axes.set_ylim(len(groups) - 0.4, -0.6)
    return svgs[0]


def stacks(groups: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Returns a plot with one stacked bar per group.

    Args:
      groups: Names of the groups.
      parts: Name of each part, and its share of each group.
    """
    # Hatches distinguish the parts without colour.
    hatches = ("", "///", "...", "xx")
    with _new_figure(_WIDTH, 1.2 + 0.42 * len(groups)) as (figure, svgs):
        axes = _axes(figure)
        starts = [0.0] * len(groups)
        for position, (name, shares) in enumerate(parts):
            axes.barh(
                range(len(groups)),
                shares,
                left=starts,
                height=0.66,
                label=_legend_label(name),
                color=theme.style(position).colour,
                hatch=hatches[position % len(hatches)],
                edgecolor=theme.GROUND,
                linewidth=1,
            )
            for y, (start, share) in enumerate(zip(starts, shares, strict=True)):
                # A label needs about 9% of the bar's width.
                if share >= 0.09:
                    axes.text(
                        start + share / 2,
                        y,
                        f"{share:.0%}",
                        ha="center",
                        va="center",
                        color=theme.INK,
                        fontsize=_SMALL,
                        bbox={"boxstyle": "round,pad=0.18", "facecolor": theme.GROUND, "edgecolor": "none"},
                    )
            starts = [start + share for start, share in zip(starts, shares, strict=True)]
        axes.set_yticks(range(len(groups)), _labels(groups))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        _legend(axes, [name for name, _ in parts])
    return svgs[0]


Kind = Literal["number", "whole", "year", "time"]
"""Kind of the values of a distribution: any numbers, whole numbers, years, or seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Distribution of one feature's values."""

    feature: str
    buckets: Sequence[tuple[float, float, float]] = ()
    """For numbers: lowest value, highest value and count of each bucket."""
    values: Sequence[tuple[str, float]] = ()
    """For strings: value and count, the most frequent first."""
    kind: Kind = "number"

    @property
    def exact(self) -> bool:
        """Whether the counts are exact; those of buckets are estimates unless they have whole numbers."""
        return not self.buckets or self.kind in ("whole", "year")


_DAY = 86400
_DATE_FORMS = ((4.0, "%m-%d %H:%M"), (120.0, "%Y-%m-%d"), (5 * 365.0, "%Y-%m"), (float("inf"), "%Y"))
"""Formats of the ticks of a time axis by its maximum length in days."""


def distribution(item: Distribution) -> str:
    """Returns a small histogram of one feature."""
    with _new_figure(_SMALL_WIDTH, 1.75) as (figure, svgs):
        axes = _axes(figure)
        axes.set_title(plain(item.feature), fontsize=_TEXT, color=theme.INK, loc="left")
        colour = theme.style(0).colour
        if item.buckets:
            # Matplotlib's dates are days since 1970. The bar of a whole number reaches half-way to its neighbours.
            unit, margin = (_DAY, 0.0) if item.kind == "time" else (1, 0.5 * item.exact)
            for low, high, number in item.buckets:
                width = (high - low) / unit + 2 * margin
                gap = 0.1 if item.exact else 0.0
                axes.bar((low + high) / 2 / unit, number, width=(width or 1) * (1 - gap), color=colour, linewidth=0)
            axes.set_yticks([])
            _value_ticks(axes, item)
        else:
            names = [format.shorten(value, _LONGEST_LABEL) for value, _ in item.values]
            axes.barh(range(len(names)), [number for _, number in item.values], color=colour, height=0.7)
            axes.set_yticks(range(len(names)), _labels(names))
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set_xticks([])
    return svgs[0]


def _value_ticks(axes: Axes, item: Distribution) -> None:
    """Puts ticks on the axis of values: dates for times, whole numbers for whole numbers."""
    from matplotlib import dates, ticker

    if item.kind == "time":
        first, last = item.buckets[0][0] / _DAY, item.buckets[-1][1] / _DAY
        form = next(form for most, form in _DATE_FORMS if last - first <= most)
        axes.set_xticks([first, (first + last) / 2, last])
        axes.xaxis.set_major_formatter(dates.DateFormatter(form))  # type: ignore[no-untyped-call]
        return
    axes.xaxis.set_major_locator(ticker.MaxNLocator(nbins=6 if item.exact else 4, integer=item.exact))
    if item.kind == "year":
        axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%d"))


def _points(
    series: Series, position: int, num_series: int, spread: float = 1.0
) -> Iterator[tuple[float, float, tuple[float, float] | None]]:
    """Yields coordinate, value and bounds of each point; series of one group stand side by side."""
    offset = (position - (num_series - 1) / 2) * min(_SPREAD * spread, 0.8 / num_series)
    bounds = series.bounds or [None] * len(series.values)
    for group, (value, interval) in enumerate(zip(series.values, bounds, strict=True)):
        if value is not None:
            yield group + offset, value, interval


def _bar_label(value: float | None) -> str:
    if value is None:
        return format.NOTHING
    if value < 100:
        return f"{value:,.1f}"
    return f"{value:,.0f}"


@contextlib.contextmanager
def _new_figure(width: float, height: float) -> Iterator[tuple[Figure, list[str]]]:
    """Yields a figure, and a list that contains its SVG after the body."""
    import matplotlib
    from matplotlib.figure import Figure

    svgs: list[str] = []
    settings: dict[str, Any] = {
        # "none" keeps text as text in the page's own font. The salt makes ids, and so the page, reproducible.
        "svg.fonttype": "none",
        "svg.hashsalt": "shortlist",
        "font.size": _TEXT,
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


def _axes(figure: Figure) -> Axes:
    axes = figure.add_subplot()
    _remove_frame(axes)
    return axes


def _remove_frame(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)


def _grid(axes: Axes, axis: Literal["x", "y"]) -> None:
    axes.grid(axis=axis, color=theme.GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _labels(names: Sequence[str]) -> list[str]:
    """Returns names as labels: control characters would make the SVG unreadable."""
    return list(map(plain, names))


def _legend_label(name: str) -> str:
    """Returns a name as a label of a legend, from which matplotlib leaves out names that start with "_"."""
    return f" {plain(name)}" if name.startswith("_") else plain(name)


def _add_legend_entry(axes: Axes, name: str, style: theme.Style) -> None:
    axes.plot([], [], style.marker, color=style.colour, label=_legend_label(name), markersize=6)


def _legend(axes: Axes, names: Sequence[str]) -> None:
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


def _whole_numbers(axes: Axes, values: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    # Values of only 0 and 1 are the ends of an axis of shares, which needs fractions.
    if all(float(value).is_integer() for value in values) and max(values, default=0) > 1:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
