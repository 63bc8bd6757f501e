"""Warm start against training from scratch, on a log that is replayed in spans of time."""
