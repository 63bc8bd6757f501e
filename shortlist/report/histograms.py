"""Small histograms of a feature's values."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from shortlist.report import canvas, format, theme
from shortlist.sanitize import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_INCHES = 2.9
_LONGEST_LABEL = 18

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
    with canvas.new_figure(_WIDTH_INCHES, 1.75) as (figure, svgs):
        axes = canvas.new_axes(figure)
        axes.set_title(plain(item.feature), fontsize=canvas.TEXT, color=theme.INK, loc="left")
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
            axes.set_yticks(range(len(names)), canvas.labels_of(names))
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
