"""Sends everything that libraries print to a file, so that people see progress and results."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator

from rich.console import Console

LOADING_TFX = "Loading TFX (half a minute the first time) ..."
"""What a command says while it imports TFX."""


@contextlib.contextmanager
def redirect_output(path: pathlib.Path, verbose: bool) -> Iterator[Console]:
    """Yields a console on the real stdout while file descriptors 1 and 2 write to `path`.

    C++ libraries write to the descriptors directly, so nothing less is quiet.

    Args:
      path: The log file, appended to.
      verbose: Leave stdout and stderr as they are.
    """
    if verbose:
        logging.basicConfig(level=logging.INFO)
        yield Console(highlight=False)
        return
    sys.stdout.flush()
    sys.stderr.flush()
    real = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with path.open("ab") as log, os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        for descriptor in real:
            os.dup2(log.fileno(), descriptor)
        # A handler of our own: absl, which TFX imports, would add one on stderr for each import order.
        root, level = logging.getLogger(), logging.getLogger().level
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
        handler = root.handlers[0]
        warnings.simplefilter("default")
        try:
            yield Console(file=terminal, highlight=False)
        finally:
            for stream in (sys.stdout, sys.stderr):
                # A full disk must not keep the error that tells of it from the terminal.
                with contextlib.suppress(OSError):
                    stream.flush()
            root.removeHandler(handler)
            root.setLevel(level)
            for descriptor, original in real.items():
                os.dup2(original, descriptor)
                os.close(original)
