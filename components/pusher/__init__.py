"""Publishes a checked model and its exact copy in the serving folder."""
