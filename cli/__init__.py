"""The command line, one module per command; TFX is imported late.

This module imports nothing, so that the handlers of signals are in place a few milliseconds after Python's start.
"""

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Runs a command. Prints an error that a user can act on as one sentence on stderr."""
    try:
        from shortlist.process import stopping

        stopping.end_at_signals()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    from cli import app

    app.main()
