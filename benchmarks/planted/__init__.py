"""A log with planted structure, baselines on it, and a table of what the pipeline needs for it."""
