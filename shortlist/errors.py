"""Errors that a user can act on, and the exit code each one ends with."""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """Exit codes of every command, the product's contract with scripts."""

    DONE = 0
    UNEXPECTED = 1
    BAD_INPUT = 2
    NOTHING_PUSHED = 3
    INTERRUPTED = 130
    TERMINATED = 143


class ShortlistError(Exception):
    """One sentence for a user: what was expected, what was got, what to do."""

    exit_code = ExitCode.UNEXPECTED


class BadInputError(ShortlistError):
    """Something that the user gave is wrong; nothing was started or written."""

    exit_code = ExitCode.BAD_INPUT


class ConfigError(BadInputError):
    """The config file is wrong: an unknown key, a wrong type, a contradiction."""


class DataError(BadInputError):
    """The data is wrong: names the file, the column and the row or key."""


class ResourceError(ShortlistError):
    """The machine lacks memory or disk."""
