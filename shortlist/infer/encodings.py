"""Guesses about the encoding of a text that is not UTF-8."""

from __future__ import annotations

import codecs
import re

from shortlist.errors import ConfigError
from shortlist.quoting import short_repr

_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAX_LINES = 400
_CP1252_ONLY = re.compile(rb"[\x80-\x9f]")
# Share of the letters of a line that are not ASCII: about a tenth in Western languages, nearly all in others.
_MAX_FOREIGN = 0.4
_FOREIGN = ("cp1251", "gb18030", "big5", "shift_jis", "euc_kr", "iso8859_7", "cp1253", "cp1254")


def decoded(head: bytes, given: str | None, name: str) -> tuple[str | None, str, str]:
    """Returns the encoding to write into the config (None for the default), the text, and a remark.

    Raises:
      ConfigError: The text may have one of several encodings, or nearly all of it is UTF-8.
    """
    if given is not None:
        return given, head.decode(given, errors="replace"), f"Encoding: {given}."
    if head.startswith(_UTF16_BOMS):
        return None, head.decode("utf-16", errors="replace"), ""
    try:
        # A character may be cut at the end of the head.
        return None, codecs.getincrementaldecoder("utf-8-sig")().decode(head), ""
    except UnicodeDecodeError as error:
        guessed, example = _guess_encoding(head, error, name)
        remark = (
            f"The text is not UTF-8; read as {guessed}, a line is {short_repr(example)}. If it looks wrong, give "
            "--encoding."
        )
        return guessed, head.decode(guessed, errors="replace"), remark


def _guess_encoding(head: bytes, error: UnicodeDecodeError, name: str) -> tuple[str, str]:
    """Returns a Western encoding, and the first line with a character that is not ASCII.

    Raises:
      ConfigError: Most characters are not ASCII, so that the text is not Western, or nearly all of it is UTF-8.
    """
    lines = [line for line in head.splitlines() if not line.isascii()][:_MAX_LINES]
    valid = sum(_is_utf8(line) for line in lines)
    number = head[: error.start].count(b"\n") + 1
    if valid > 0.5 * len(lines):
        raise ConfigError.from_parts(
            f"{name}, line {number}",
            "UTF-8, as in most other lines",
            f"the byte 0x{head[error.start]:02x}",
            "correct the line, or write the file again as UTF-8",
        )
    others = sum(byte >= 0x80 for line in lines for byte in line)
    letters = sum(bytes([byte]).isalpha() for line in lines for byte in line)
    if others > _MAX_FOREIGN * max(letters + others, 1):
        options = []
        for encoding in _FOREIGN:
            try:
                options.append(f"--encoding {encoding} (a line is {short_repr(lines[0].decode(encoding).strip())})")
            except UnicodeDecodeError:
                continue
        raise ConfigError.from_parts(
            name, "UTF-8", "text in another encoding", f"give it: {', or '.join(options) or '--encoding'}"
        )
    return ("cp1252" if _CP1252_ONLY.search(head) else "latin-1"), lines[0].decode("latin-1")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
