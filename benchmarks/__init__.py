"""Measurements for docs/figures.md and docs/benchmarks.md; not part of the product."""
