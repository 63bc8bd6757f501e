"""Search for a refusal of the user's input among the causes of an exception."""

from __future__ import annotations

from shortlist.errors import BadInputError, ConfigError, DataError
from shortlist.process import causes

_KINDS = {f"{kind.__module__}.{kind.__name__}": kind for kind in (BadInputError, ConfigError, DataError)}


def find_bad_input(error: BaseException) -> BadInputError | None:
    """Returns the `BadInputError` that caused an exception, also if Beam wrapped it; None if there is none."""
    for link in causes.chain(error):
        if isinstance(link, BadInputError):
            return type(link)(causes.without_step(str(link)), *link.args[1:])
        # Some of Beam's runners raise a RuntimeError that quotes the worker's traceback instead.
        for kind, message in causes.quoted_exceptions(str(link)):
            if kind in _KINDS:
                return _KINDS[kind](message)
    return None
