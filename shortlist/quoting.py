"""Values and lists of names in messages, cut to a readable length in bounded time."""

from __future__ import annotations

import difflib
import itertools
import reprlib
from collections.abc import Collection, Iterable
from typing import Any

_MAX_REPR = 60
_MAX_NAMES = 20
# The time of a comparison grows with both, and names come from files of any size.
_MAX_COMPARED = 2_000
_MAX_COMPARED_CHARACTERS = 200
# repr() of a larger int ends in a ValueError (sys.set_int_max_str_digits), or takes quadratic time.
_MAX_INT_BITS = 4_000


class _Short(reprlib.Repr):
    """A repr that looks at the beginning of a value only, and never fails."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict = 4, 8
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 16
        self.maxstring = self.maxother = self.maxlong = 2 * _MAX_REPR

    def repr_str(self, value: str, level: int) -> str:
        return repr(value[: self.maxstring])

    def repr_bytes(self, value: bytes, level: int) -> str:
        return repr(value[: self.maxstring])

    def repr_int(self, value: int, level: int) -> str:
        if value.bit_length() > _MAX_INT_BITS:
            return f"a number of about {value.bit_length() * 3 // 10:,} digits"
        return repr(value)

    # As written, unlike reprlib, which sorts keys.
    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        if level <= 0:
            return "{...}"
        items = itertools.islice(value.items(), self.maxdict)
        pairs = [f"{self.repr1(key, level - 1)}: {self.repr1(cell, level - 1)}" for key, cell in items]
        return f"{{{', '.join([*pairs, *(['...'] if len(value) > self.maxdict else [])])}}}"


_SHORT = _Short()


def short_repr(value: object) -> str:
    """Returns a value for an error message: escaped, on one line, 60 characters at most."""
    text = _SHORT.repr(value)
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 3] + "..."


def listed(names: Collection[str], most: int = _MAX_NAMES) -> str:
    """Returns names for a message: all of up to `most`, or else the first "and 999,980 more"; each cut, in quotes."""
    shown = ", ".join(map(short_repr, itertools.islice(names, most)))
    others = len(names) - most
    return f"{shown} and {others:,} more" if others > 0 else shown


def closest(name: str, names: Iterable[str]) -> str | None:
    """Returns the name that is most like `name`, or None. Compared are the first 2,000 names, unless very long."""
    if len(name) > _MAX_COMPARED_CHARACTERS:
        return None
    compared = [other for other in itertools.islice(names, _MAX_COMPARED) if len(other) <= _MAX_COMPARED_CHARACTERS]
    close = difflib.get_close_matches(name, compared)
    # Exchanged letters are a mistake of typing: "idm" is "dim" rather than "ids", which is as similar.
    return next((other for other in close if sorted(other) == sorted(name)), close[0] if close else None)
