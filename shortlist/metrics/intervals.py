"""Confidence intervals for proportions, and quantiles of Student's t."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""Number of standard deviations around the mean that hold 95% of the normal distribution."""

# Exact quantiles of Student's t where the expansion in 1 / freedom is too inaccurate.
_T_95 = {1: 12.7062, 2: 4.3027, 3: 3.1824}


def student_t_95(freedom: int) -> float:
    """Returns the two-sided 95% quantile of Student's t, in standard errors.

    It uses the expansion in 1 / freedom (Abramowitz and Stegun 26.7.5), with a relative error of at most 0.003.

    Args:
      freedom: Degrees of freedom, 1 or more.
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
    """Returns the standard error of a proportion of independent rows, sqrt(p (1 - p) / n)."""
    return math.sqrt(max(share * (1 - share), 0.0) / rows)


def wilson(share: float, rows: float, z: float = Z_95) -> tuple[float, float]:
    """Returns Wilson's score interval (1927) of a proportion; its bounds stay within 0 and 1.

    Rows are assumed to be independent. If queries have many rows, the true interval is wider.

    Args:
      share: From 0 to 1.
      rows: Number of rows; for 0 the bounds are 0 and 1.
      z: Half width in standard deviations.
    """
    if rows <= 0:
        return 0.0, 1.0
    centre = share + z * z / (2 * rows)
    half = z * math.sqrt(max(share * (1 - share), 0.0) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)
