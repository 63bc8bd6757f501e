"""Stops the run when the data does not fit its schema."""
