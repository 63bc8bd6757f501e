"""Redirection of libraries' output to a log file, so that the terminal shows only progress and results."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator
from typing import BinaryIO

from rich.console import Console

from cli.output import consoles
from shortlist.secrets import redacted

LOADING_TFX = "Loading TFX (half a minute the first time) ..."
"""Status line while a command imports TFX."""


class _RedactedFormatter(logging.Formatter):
    """Python's formatter; credentials in messages and tracebacks are replaced."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _redact(logger: logging.Logger) -> None:
    for handler in logger.handlers:
        handler.setFormatter(_RedactedFormatter(logging.BASIC_FORMAT))


@contextlib.contextmanager
def redirect_output(path: pathlib.Path, verbose: bool, required: bool = True) -> Iterator[Console]:
    """Redirects file descriptors 1 and 2 to `path` within its body. Yields a console on the real stdout.

    Replacing `sys.stdout` would not be enough: C++ libraries write to the descriptors directly.

    Args:
      path: The log file; output is appended.
      verbose: Do not redirect anything.
      required: Raise an OSError if the file cannot be written. If false, the output is then discarded, so that a
        command that only reads also works in a read-only workspace.
    """
    if verbose:
        logging.basicConfig(level=logging.INFO)
        _redact(logging.getLogger())
        yield consoles.console()
        return
    # Text in Python's buffers would otherwise go to the log file.
    sys.stdout.flush()
    sys.stderr.flush()
    real = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with _open(path, required) as log, os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        for descriptor in real:
            os.dup2(log.fileno(), descriptor)
        # Without a handler on the root logger, absl would add its own on stderr when TFX imports it.
        root, level = logging.getLogger(), logging.getLogger().level
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
        _redact(root)
        handler = root.handlers[0]
        try:
            with warnings.catch_warnings():
                # All warnings belong in the log, also those that Python ignores by default.
                warnings.simplefilter("default")
                yield consoles.console(file=terminal)
        finally:
            for stream in (sys.stdout, sys.stderr):
                # If the disk is full, the flush fails, too. The error of the body must still reach the terminal.
                with contextlib.suppress(OSError):
                    stream.flush()
            root.removeHandler(handler)
            root.setLevel(level)
            for descriptor, original in real.items():
                os.dup2(original, descriptor)
                os.close(original)


def _open(path: pathlib.Path, required: bool) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError:
        if required:
            raise
        return open(os.devnull, "ab")
