"""Trains the blessed recipe once more on everything there is."""
