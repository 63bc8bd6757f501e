"""Loads what is to be served in a clean process and questions it."""
