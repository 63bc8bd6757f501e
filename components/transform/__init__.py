"""Transformation of raw features for the towers: one graph for queries, one for the catalogue."""
