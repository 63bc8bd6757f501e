"""Names of small files of artifacts that reports read."""

from __future__ import annotations

VALUES_FILE = "values.json"
"""Written by the ExampleGens beside their split: {column: [[value, rows], ...]}, for numeric columns whose values are
whole numbers, at most 1,000 distinct ones. Absent from artifacts of older versions."""
