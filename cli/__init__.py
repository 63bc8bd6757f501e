"""The command line, one module per command; TFX is imported late."""

from cli.app import main

__all__ = ["main"]
