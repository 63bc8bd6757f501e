"""Puts a checked model where it is served from."""
