"""How far a share that was measured on some rows may be from the one that more rows would give."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""Of the normal distribution, 95% lie within so many standard deviations."""

# Student's t where the expansion by 1 / freedom is too far off.
_T_95 = {1: 12.7062, 2: 4.3027, 3: 3.1824}


def student_t_95(freedom: int) -> float:
    """Returns within how many standard errors 95% of means lie whose deviation was itself estimated.

    By the expansion of Student's t in 1 / freedom (Abramowitz and Stegun 26.7.5), good to three parts in a thousand.

    Args:
      freedom: Degrees of freedom of the deviation, 1 or more.
    """
    if freedom in _T_95:
        return _T_95[freedom]
    z = Z_95
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return math.fsum(term / float(freedom) ** power for power, term in enumerate(terms))


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
