"""The Windows node: joins, orders and splits the flat tables into time-ordered windows, each of one query."""
