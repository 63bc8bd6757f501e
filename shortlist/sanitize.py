"""Text from the data and from other programs, made safe for a terminal."""

from __future__ import annotations

import unicodedata

from shortlist.secrets import redacted

_UNSAFE = {"Cc", "Cs", "Zl", "Zp"}
# Embeddings, overrides and isolates (Unicode Standard Annex 9); marks such as U+200F are harmless.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Returns `text` with U+FFFD in place of characters that change more than their own place on the screen.

    These are control characters, which could clear the screen or rename the window, line separators, characters that
    reverse the direction of the text after them, and lone surrogates, which cannot be encoded.
    """
    return "".join(map(_safe, text))


def printable_lines(text: str) -> str:
    """Returns `text` made `printable`, except for its line ends."""
    return "\n".join(map(printable, text.split("\n")))


def plain(text: str) -> str:
    """Returns `text` made `printable`, with credentials in addresses replaced.

    Not for ids and titles that a command is asked for: an id may be an address whose parameters look like credentials.
    """
    return printable(redacted(text))


def plain_lines(text: str) -> str:
    """Returns `text` made `plain`, except for its line ends."""
    return "\n".join(map(plain, text.split("\n")))


def _safe(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) in _UNSAFE or character in _BIDI else character
