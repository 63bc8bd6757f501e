"""Finds what the user can act on in what a node raised."""

from __future__ import annotations

import re

from shortlist.errors import BadInputError, DataError

# Beam adds to a message which step it came from.
_RUNNING = re.compile(r" \[while running .*\]$", re.DOTALL)
# Some of its runners raise a RuntimeError that quotes the worker's traceback instead.
_QUOTED_BAD_INPUT = re.compile(r"shortlist\.errors\.(?:Data|Config|BadInput)Error: (.+?)(?: \[while running|\n|$)")


def find_bad_input(error: BaseException) -> BadInputError | None:
    """Returns the `BadInputError` that an exception comes from, through Beam's wrapping too."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, BadInputError):
            return type(link)(_RUNNING.sub("", str(link)))
        quoted = _QUOTED_BAD_INPUT.search(str(link))
        if quoted:
            return DataError(quoted.group(1))
        link = link.__cause__ or link.__context__
    return None
