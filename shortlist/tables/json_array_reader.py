"""Reader for one JSON array of objects, streamed, with the same cells as JSON Lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from shortlist.quoting import short_repr
from shortlist.tables.jsonl_reader import DECODER, KINDS, JsonlReader
from shortlist.tables.spec import Format
from shortlist.tables.text_lines import MAX_LINE_BYTES

_AN_ARRAY = "one JSON array of objects"
_NOT_BLANK = re.compile(r"[^ \t\r\n]")


class JsonArrayReader(JsonlReader):
    """Reads one array, plain or gzip. An object's keys are the columns; a missing key is a blank cell."""

    _format: Format = "json"

    def _records(self) -> Iterator[dict[str, Any]]:
        text = _Window(self._lines.chunks())
        self._line = 1
        first = text.peek()
        if not first:
            return
        if first != "[":
            remedy = f"set data.{self._spec.kind}.format: jsonl if each line has one object"
            self._refuse(text, _AN_ARRAY, short_repr(text.excerpt()), remedy)
        text.take()
        while text.peek() != "]":
            yield self._element(text)
            if text.peek() != ",":
                break
            text.take()
            if text.peek() == "]":
                self._refuse(text, "an object after the comma", "the array's end", "remove the comma")
        if text.peek() != "]":
            got = short_repr(text.excerpt()) if text.peek() else "the end of the file"
            self._refuse(text, "a comma or the array's end", got, "fetch or write the file again")
        text.take()
        if text.peek():
            self._refuse(text, "nothing after the array", short_repr(text.excerpt()), "write one array per file")

    def _element(self, text: _Window) -> dict[str, Any]:
        first = text.peek()
        self._line = text.line
        if first != "{":
            excerpt = text.excerpt()
            got = short_repr(excerpt) if excerpt else "the end of the file"
            kind = KINDS.get(type(_value(excerpt)))
            self._refuse(text, "an object in the array", kind or got, "write each row as an object")
        record, end = self._decoded_at(text)
        self._row += 1
        self._check_depth(record, text.text.count("[", text.start, end) + text.text.count("{", text.start, end))
        if text.text.find("\\u", text.start, end) >= 0:
            self._check_surrogates(record)
        text.skip(end)
        return record

    def _decoded_at(self, text: _Window) -> tuple[dict[str, Any], int]:
        """Returns the object at the window's start and the position after it."""
        while True:
            try:
                record, end = self._checked(lambda: DECODER.raw_decode(text.text, text.start))
            except json.JSONDecodeError as error:
                # The object may go on beyond the window.
                end = len(text.text)
                character = error.pos - text.start + 1
                if end - text.start <= MAX_LINE_BYTES and not text.grow():
                    got = f"{short_repr(text.excerpt())} ({error.msg.removesuffix(' at')} at character {character})"
                    self._refuse(text, "one JSON object", got, "correct it, or fetch the file again")
            else:
                if end - text.start <= MAX_LINE_BYTES:
                    return record, end
            if end - text.start > MAX_LINE_BYTES:
                self._refuse(text, "objects of text", "one of over 16 MB", "check how the file was written")

    def _refuse(self, text: _Window, expected: str, got: str, remedy: str) -> NoReturn:
        raise self._lines.error(text.line, expected, got, remedy)


class _Window:
    """A part of a text that moves over it, with the number of its first line."""

    def __init__(self, chunks: Iterator[str]):
        self._chunks = chunks
        self.text = ""
        self.start = 0
        self.line = 1

    def peek(self) -> str:
        """Returns the next character that is not blank; an empty string at the end."""
        while True:
            found = _NOT_BLANK.search(self.text, self.start)
            self.skip(found.start() if found else len(self.text))
            if found:
                return found[0]
            if not self.grow():
                return ""

    def take(self) -> None:
        """Goes on by one character."""
        self.skip(self.start + 1)

    def skip(self, end: int) -> None:
        """Goes on to a position in the window."""
        self.line += self.text.count("\n", self.start, end)
        self.start = end

    def grow(self) -> bool:
        """Doubles what is left of the window, so that reading one object again and again takes linear time."""
        rest = self.text[self.start :]
        parts, size = [rest], 0
        while size <= len(rest):
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            parts.append(chunk)
            size += len(chunk)
        self.text, self.start = "".join(parts), 0
        return size > 0

    def excerpt(self) -> str:
        """Returns the next characters."""
        return self.text[self.start : self.start + 80].strip()


def _value(excerpt: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(excerpt)[0]
    except ValueError:
        return 0
