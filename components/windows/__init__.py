"""Windows: joins, orders and splits the flat inputs into one query's time-ordered slices."""
