"""Layouts of files that have no row per interaction: recognised, and answered with the page that converts them."""

from __future__ import annotations

import collections
import re
from collections.abc import Sequence

from shortlist.errors import ConfigError
from shortlist.infer import names

_NETFLIX_MOVIE = re.compile(r"\d+:\s*")
_ID = re.compile(r"[\w.-]{1,64}")
_MIN_MATRIX_COLUMNS = 20
_MATRIX_SHARE = 0.9
_MAX_TITLE_LINES = 20
_CELL = re.compile(r"\s*([+-]?\d+([.,]\d+)?|NA|nan|NaN|\?|-)?\s*")


def refuse_netflix(lines: Sequence[str], name: str) -> None:
    """Raises `ConfigError` for blocks of rows under a line such as `1:`, as in the Netflix prize's files."""
    if _NETFLIX_MOVIE.fullmatch(lines[0]) and len(lines) > 1 and "," in lines[1]:
        raise ConfigError.from_parts(
            name,
            "one row per interaction",
            f"{lines[0].strip()!r} and below it rows such as {lines[1].strip()!r}: the layout of the Netflix prize",
            'convert it with the lines under "Netflix" in docs/data.md',
        )


def refuse_preamble(lines: Sequence[str], name: str) -> None:
    """Raises `ConfigError` for comments or a title above the header."""
    count = next((place for place, line in enumerate(lines) if not line.lstrip().startswith(("#", "%", "//"))), 0)
    if count and len(lines) > count + 1:
        raise ConfigError.from_parts(
            name,
            "the names of the columns or the first row in line 1",
            f"{lines[0].strip()[:60]!r}, a comment",
            f"remove the {count} lines first: tail -n +{count + 1} {name} > rows.csv",
        )


def refuse_title(rows: Sequence[Sequence[str]], name: str) -> None:
    """Raises `ConfigError` for lines with fewer fields above the header, as reports have them.

    Args:
      rows: Fields of the first lines.
      name: Name of the file.
    """
    width = collections.Counter(map(len, rows)).most_common(1)[0][0]
    first = next(place for place, row in enumerate(rows) if len(row) == width)
    if first == 1 and len(rows[0]) == width - 1 and all(not row[-1].strip() for row in rows[1:]):
        raise ConfigError.from_parts(
            name,
            f"{width - 1} fields in each line, as in the first",
            f"{width}, of which the last is blank: each line ends with a delimiter",
            f"remove it first: sed '2,$ s/.$//' {name} > rows.csv",
        )
    if 0 < first <= _MAX_TITLE_LINES and width > 1 and all(len(row) < width for row in rows[:first]):
        raise ConfigError.from_parts(
            name,
            f"{width} fields in the first line, as in most others",
            f"{len(rows[0])}, {rows[0][0][:60]!r}",
            f"remove what is above the names of the columns first: tail -n +{first + 1} {name} > rows.csv",
        )


def refuse_adjacency(lines: Sequence[str], name: str, rows: Sequence[Sequence[str]] | None = None) -> None:
    """Raises `ConfigError` for lines of a user and all of its items, which have different numbers of ids.

    Args:
      lines: The first lines of the file, without blank ones.
      name: Name of the file.
      rows: Their fields, if a delimiter is known.
    """
    if rows is not None and len(set(map(len, rows))) == 1:
        return
    tokens = [re.split(r"[\s,;|]+", line.strip()) for line in lines]
    widths = collections.Counter(map(len, tokens))
    # At least half of the lines have another length than the most frequent one.
    is_ragged = len(widths) > 2 and widths.most_common(1)[0][1] <= 0.5 * len(lines)
    if is_ragged and all(_ID.fullmatch(token) for row in tokens[:50] for token in row):
        raise ConfigError.from_parts(
            name,
            "one row per interaction",
            f"lines of {min(widths)} to {max(widths)} ids, such as {lines[0].strip()[:40]!r}: a user and its items in "
            "each",
            'convert it with the lines under "A user and its items in each line" in docs/data.md',
        )


def refuse_matrix(rows: Sequence[Sequence[str]], name: str) -> None:
    """Raises `ConfigError` for a matrix of ratings: a row per user, a column per item.

    Args:
      rows: Fields of the first lines; the first may be a header.
      name: Name of the file.
    """
    width = len(rows[0])
    if width < _MIN_MATRIX_COLUMNS or len(rows) < 2:
        return
    vocabulary = (*names.CANDIDATE_WORDS, *names.PERSON_WORDS, *names.SESSION_WORDS)
    # The names of a log's columns: `user_id`, `hotel_cluster`, `date_time`.
    named = sum(names.rank_of(cell, vocabulary) is not None and names.is_id_name(cell) for cell in rows[0])
    if named >= 2 or any(names.has_word(cell, names.EVENT_TIME_WORDS) for cell in rows[0]):
        return
    numeric = sum(all(_CELL.fullmatch(row[place]) for row in rows[1:] if place < len(row)) for place in range(1, width))
    if numeric >= _MATRIX_SHARE * (width - 1):
        raise ConfigError.from_parts(
            name,
            "one row per interaction",
            f"{width:,} columns of numbers or blanks: a row per user and a column per item",
            'convert it with the lines under "A matrix" in docs/data.md',
        )
