"""How far a share that was measured on some rows may be from the one that more rows would give."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""Of the normal distribution, 95% lie within so many standard deviations."""


def standard_error(share: float, rows: float) -> float:
    """Returns the standard error of a share of independent rows, sqrt(p (1 - p) / n)."""
    return math.sqrt(max(share * (1 - share), 0.0) / rows)


def wilson(share: float, rows: float, z: float = Z_95) -> tuple[float, float]:
    """Returns the bounds of a share by Wilson's score interval (1927), which stays within 0 and 1.

    Rows are taken as independent: where a query has many of them, the truth is wider.

    Args:
      share: From 0 to 1.
      rows: How many rows it was measured on; 0 says nothing, and the bounds are 0 and 1.
      z: Standard deviations.
    """
    if rows <= 0:
        return 0.0, 1.0
    centre = share + z * z / (2 * rows)
    half = z * math.sqrt(max(share * (1 - share), 0.0) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)
