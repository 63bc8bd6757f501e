"""Text from the data, made safe for a terminal."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Returns `text` with U+FFFD in place of control characters, which could clear the screen or rename the window."""
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) == "Cc" else character
