"""Builds, tunes, measures and exports the served index."""
