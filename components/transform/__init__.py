"""Turns raw features into what the towers embed: one graph for queries, one for the catalogue."""
