"""Everything that finds, reads, checks and parses an input table."""
