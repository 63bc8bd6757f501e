"""Errors that a user can act on, with their exit codes."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from shortlist.secrets import redacted

if TYPE_CHECKING:
    from typing_extensions import Self

# Longer than a path can be on Linux (4,096 bytes), which must stay whole.
_MAX_PART = 5_000


class ExitCode(enum.IntEnum):
    """Exit codes of every command, the product's contract with scripts."""

    DONE = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    NOTHING_PUSHED = 3
    INTERRUPTED = 130
    TERMINATED = 143


class ShortlistError(Exception):
    """One sentence for a user: expectation, finding, remedy. Credentials in it are replaced."""

    exit_code = ExitCode.UNEXPECTED

    def __init__(self, message: object = "", *parts: str):
        super().__init__(redacted(str(message)), *map(redacted, parts))


class BadInputError(ShortlistError):
    """The user's input is wrong; nothing was started or written.

    All attributes are empty if the message was not made from parts.

    Attributes:
      where: The config key, the option, or the file with its row and column. Empty if the error concerns the command
        as a whole.
      expected: A description of valid input.
      got: The input found instead, or the reason given by the system.
      remedy: Advice to the user; may be empty.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, message: str, *parts: str):
        # Beam rebuilds an exception from its args and appends the name of its step to the first one.
        super().__init__(message, *parts)
        self.where, self.expected, self.got, self.remedy = self.args[1:] or ("", "", "", "")

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def from_parts(cls, where: object, expected: str, got: object, remedy: str = "") -> Self:
        """Returns the error `where: expected ..., got ...; remedy`, on one line."""
        return cls(_sentence(where, expected, f"got {got}", remedy), str(where), expected, str(got), remedy)

    @classmethod
    def from_reason(cls, where: object, expected: str, reason: object, remedy: str = "") -> Self:
        """Returns the error `where: expected ..., got: reason; remedy`, with a reason in the system's own words."""
        return cls(_sentence(where, expected, f"got: {reason}", remedy), str(where), expected, str(reason), remedy)


class ConfigError(BadInputError):
    """The config file is wrong: an unknown key, a wrong type, a contradiction."""


class DataError(BadInputError):
    """The data is wrong; the message names the file, the column and the row or key."""


class StoreError(BadInputError):
    """ML Metadata's file cannot be used: it is busy, damaged, read-only, or another program's."""


class ResourceError(ShortlistError):
    """The machine lacks memory or disk."""


def _sentence(where: object, expected: str, got: str, remedy: str) -> str:
    where, expected, got, remedy = (_cut(str(part)) for part in (where, expected, got, remedy))
    sentence = f"expected {expected}, {got}"
    if where:
        sentence = f"{where}: {sentence}"
    if remedy:
        sentence = f"{sentence}; {remedy}"
    return " ".join(line.strip() for line in sentence.splitlines())


def _cut(part: str) -> str:
    """Returns a part that a terminal can show; names and cells come from files of any size."""
    return part if len(part) <= _MAX_PART else f"{part[:_MAX_PART]}..."
