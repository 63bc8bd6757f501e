"""The report's plots, from plain data to SVG, without a window or a file."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shortlist.report import canvas, format, theme
from shortlist.sanitize import plain

if TYPE_CHECKING:
    pass

_ROW = 0.3
_MOST_MARKERS = 40
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
    with canvas.new_figure(canvas.WIDTH, height) as (figure, svgs):
        axes = canvas.new_axes(figure)
        for position, item in enumerate(series):
            style = theme.style(position)
            for x, value, bounds in _points(item, position, len(series)):
                if bounds:
                    axes.plot([x, x], bounds, color=style.colour, linewidth=2, alpha=0.65)
                axes.plot([x], [value], style.marker, color=style.colour, markersize=6, clip_on=False)
            canvas.add_legend_entry(axes, item.name, style)
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
        axes.set_xticks(range(len(groups)), canvas.labels_of(groups))
        if slanted:
            axes.tick_params(axis="x", rotation=30)
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(plain(axis))
        canvas.draw_grid(axes, "y")
        canvas.draw_legend(axes, [item.name for item in series])
    return svgs[0]


def rows(groups: Sequence[str], series: Sequence[Series], axis: str) -> str:
    """Returns the plot of `dots` with the groups from top to bottom, for long names."""
    with canvas.new_figure(canvas.WIDTH, 0.9 + _ROW * len(groups) * max(1.0, 0.6 * len(series))) as (figure, svgs):
        axes = canvas.new_axes(figure)
        for position, item in enumerate(series):
            style = theme.style(position)
            for y, value, bounds in _points(item, position, len(series), spread=2.4):
                if bounds:
                    axes.plot(bounds, [y, y], color=style.colour, linewidth=2, alpha=0.65)
                axes.plot([value], [y], style.marker, color=style.colour, markersize=6, clip_on=False)
            canvas.add_legend_entry(axes, item.name, style)
        axes.set_yticks(range(len(groups)), canvas.labels_of(groups))
        # A marker at 0 is half outside the axes.
        axes.tick_params(axis="y", pad=8)
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlim(left=0)
        axes.set_xlabel(plain(axis))
        canvas.draw_grid(axes, "x")
        canvas.draw_legend(axes, [item.name for item in series])
    return svgs[0]


@dataclasses.dataclass(frozen=True)
class PlotLine:
    """One line of a panel."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    marked: int | None = None
    """Index of the marked point."""
    joined: bool = True
    """Whether a line joins the points."""


def lines(drawn: Sequence[PlotLine], x_axis: str, y_axis: str, diagonal: bool = False) -> str:
    """Returns a line plot; lines of up to 40 points also have markers.

    Args:
      drawn: The lines.
      x_axis: Label of the x axis.
      y_axis: Label of the y axis.
      diagonal: Also draw the line x = y.
    """
    with canvas.new_figure(canvas.WIDTH, 3.0) as (figure, svgs):
        axes = canvas.new_axes(figure)
        if diagonal:
            axes.plot([0, 1], [0, 1], color=theme.QUIET, linewidth=1, linestyle=(0, (1, 2)))
        for position, line in enumerate(drawn):
            style = theme.style(position)
            few = len(line.x) <= _MOST_MARKERS
            axes.plot(
                line.x,
                line.y,
                color=style.colour,
                linestyle=style.dashes if line.joined else "",
                linewidth=2,
                label=canvas.legend_label(line.name),
                marker=style.marker if few else "",
                markersize=4.5,
            )
            if line.marked is not None:
                point = ([line.x[line.marked]], [line.y[line.marked]])
                axes.plot(*point, "o", color=theme.INK, **_RING)
        axes.margins(y=0.14)
        axes.set_xlabel(plain(x_axis))
        axes.set_ylabel(plain(y_axis))
        canvas.draw_grid(axes, "y")
        if len(drawn) > 1:
            canvas.draw_legend(axes, [line.name for line in drawn])
        canvas.whole_number_ticks(axes, [x for line in drawn for x in line.x])
    return svgs[0]


def bars(groups: Sequence[str], values: Sequence[float | None], axis: str, position: int = 0) -> str:
    """Returns a plot of horizontal bars with their values, one per group.

    Args:
      groups: Names of the groups, from top to bottom.
      values: One value per group.
      axis: Label of the value axis.
      position: Position of the colour in `theme.SERIES`.
    """
    with canvas.new_figure(canvas.WIDTH, 0.7 + 0.25 * len(groups)) as (figure, svgs):
        axes = canvas.new_axes(figure)
        bar_lengths = [value or 0.0 for value in values]
        axes.barh(range(len(groups)), bar_lengths, color=theme.style(position).colour, height=0.62)
        for y, value in enumerate(values):
            axes.annotate(
                _bar_label(value),
                (value or 0.0, y),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=canvas.SMALL,
            )
        axes.set_xlim(0, max([*bar_lengths, 1e-9]) * 1.16)
        axes.set_xlabel(plain(axis))
        axes.set_xticks([])
        axes.set_yticks(range(len(groups)), canvas.labels_of(groups))
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
    with canvas.new_figure(canvas.WIDTH, 1.2 + 0.42 * len(groups)) as (figure, svgs):
        axes = canvas.new_axes(figure)
        starts = [0.0] * len(groups)
        for position, (name, shares) in enumerate(parts):
            axes.barh(
                range(len(groups)),
                shares,
                left=starts,
                height=0.66,
                label=canvas.legend_label(name),
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
                        fontsize=canvas.SMALL,
                        bbox={"boxstyle": "round,pad=0.18", "facecolor": theme.GROUND, "edgecolor": "none"},
                    )
            starts = [start + share for start, share in zip(starts, shares, strict=True)]
        axes.set_yticks(range(len(groups)), canvas.labels_of(groups))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        canvas.draw_legend(axes, [name for name, _ in parts])
    return svgs[0]


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
