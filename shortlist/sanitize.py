"""Makes text from the data safe for a terminal."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Returns `text` with U+FFFD for control characters, which could clear the screen or rename the window."""
    return "".join("\ufffd" if unicodedata.category(character) == "Cc" else character for character in text)
