"""Answers of the served model for all queries, similar items for all candidates, and vectors for other stores."""
