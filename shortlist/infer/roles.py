"""Roles of a log's columns (query, candidate, time, basket, event type), and filters for faulty rows."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence

from shortlist.errors import ConfigError
from shortlist.infer.columns import InferredColumn

# In each list, a word nearer to the start is a clearer sign.
_QUERY_WORDS = (
    *("user", "customer", "client", "member", "visitor", "buyer", "reader", "viewer", "listener", "account"),
    *("query", "session", "person", "patient", "student", "uid"),
)
_CANDIDATE_WORDS = (
    *("item", "product", "movie", "film", "article", "stock", "sku", "book", "isbn", "track", "song", "artist"),
    *("video", "candidate", "offer", "asin", "listing", "document", "page", "course", "game", "recipe", "iid"),
)
_TIME_WORDS = ("timestamp", "time", "date", "datetime", "ts", "created", "at", "when", "day", "seq", "order")
_ID_WORDS = ("id", "code", "no", "number", "key", "uid", "sku", "isbn", "asin")
_BASKET_WORDS = ("invoice", "order", "basket", "transaction", "receipt", "checkout")
_AMOUNT_WORDS = ("quantity", "qty", "amount", "units", "count")
_EVENT_WORDS = ("event", "action", "behavior", "behaviour", "interaction", "type")

# Usual weights of interaction types, in ascending order.
_EVENT_WEIGHTS = (
    (("view", "click", "pageview", "pv", "impression", "visit", "play"), 1.0),
    (("like", "fav", "favorite", "favourite", "wishlist", "save"), 2.0),
    (("cart", "addtocart", "add_to_cart", "basket"), 3.0),
    (("purchase", "buy", "order", "transaction", "checkout"), 10.0),
)

_SQL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find_role(
    role: str, words: Sequence[str], columns: Iterable[InferredColumn], other_roles: Sequence[str], option: str
) -> InferredColumn:
    """Returns the column whose name fits a role best.

    Args:
      role: Name of the role, for the error.
      words: Words in names of such columns, the clearest first.
      columns: The table's columns.
      other_roles: Names of columns with another role.
      option: Command line option for the column's name.

    Raises:
      ConfigError: No name fits, or two fit equally well.
    """
    free = [column for column in columns if column.name not in other_roles and column.present]
    ranked = sorted(((_score(column, words), column) for column in free), key=lambda pair: pair[0], reverse=True)
    matches = [pair for pair in ranked if pair[0] > 0]
    if matches and (len(matches) == 1 or matches[0][0] > matches[1][0]):
        return matches[0][1]
    names = ", ".join(column.name for column in free)
    got = "no such name"
    if matches:
        got = f"{matches[0][1].name} and {matches[1][1].name}"
    raise ConfigError.from_parts("", f"a column that is the {role}", f"{got} among {names}", f"name it with {option}")


def find_query_id(columns: Iterable[InferredColumn], other_roles: Sequence[str]) -> InferredColumn:
    """Returns the column with the query ids; see `find_role` for its errors."""
    return find_role("query (user) id", _QUERY_WORDS, columns, other_roles, "--query-id")


def find_candidate_id(columns: Iterable[InferredColumn], other_roles: Sequence[str]) -> InferredColumn:
    """Returns the column with the candidate ids; see `find_role` for its errors."""
    return find_role("candidate (item) id", _CANDIDATE_WORDS, columns, other_roles, "--candidate-id")


def find_time(columns: Iterable[InferredColumn], other_roles: Sequence[str]) -> InferredColumn:
    """Returns the column with the timestamps: the first with times as values, or else the best name.

    Raises:
      ConfigError: There is no such column.
    """
    free = [column for column in columns if column.name not in other_roles and column.present]
    by_value = [column for column in free if column.is_time or column.is_iso]
    by_name = [column for column in free if column.is_numeric and set(_TIME_WORDS) & column.words]
    matches = by_value or sorted(by_name, key=_time_rank)
    if not matches:
        names = ", ".join(column.name for column in free)
        raise ConfigError.from_parts(
            "",
            "a column of times",
            f"none among {names}",
            "name it with --timestamp, and convert dates such as 12/1/2010 8:26 to ISO 8601 or seconds since "
            "1970 first",
        )
    return matches[0]


def find_basket(columns: Iterable[InferredColumn], other_roles: Sequence[str]) -> InferredColumn | None:
    """Returns the column with basket ids (invoice, order), if there is one."""
    by_name = [column for column in columns if column.name not in other_roles and set(_BASKET_WORDS) & column.words]
    return next((column for column in by_name if set(_ID_WORDS) & column.words), None)


def find_events(
    columns: Iterable[InferredColumn], other_roles: Sequence[str]
) -> tuple[InferredColumn, dict[str, float]] | None:
    """Returns the column with interaction types and the weight of each type; None if there are unknown types."""
    for column in columns:
        if column.name in other_roles or not set(_EVENT_WORDS) & column.words or not 2 <= len(column.counts) <= 20:
            continue
        weights = {value: weight for value in column.counts if (weight := _event_weight(value)) is not None}
        if len(weights) == len(column.counts):
            return column, dict(sorted(weights.items(), key=lambda pair: pair[1]))
    return None


def find_dirt(
    columns: Sequence[InferredColumn],
    query: InferredColumn,
    candidate: InferredColumn,
    time: InferredColumn,
    basket: InferredColumn | None,
) -> list[tuple[str, str]]:
    """Returns filter conditions against faulty rows, each with its reason.

    Args:
      columns: The log's columns.
      query: The column with query ids.
      candidate: The column with candidate ids.
      time: The column with timestamps.
      basket: The column with basket ids, if there is one.
    """
    conditions = []
    for column in (query, candidate, time):
        if column.blanks:
            share = column.blanks / len(column.texts)
            conditions.append((f"{quoted(column.name)} is not None", f"{share:.1%} of the rows have no {column.name}"))
    if basket and (prefix := _rare_prefix(basket)):
        condition = f'not {quoted(basket.name)}.startswith("{prefix}")'
        conditions.append((condition, f"a few {basket.name} begin with {prefix}, which often means cancelled"))
    for column in columns:
        if is_amount(column):
            # If many amounts are 0 or less, they probably mean something else than returns.
            negative = sum(number <= 0 for number in column.numbers)
            if 0 < negative < 0.1 * len(column.numbers):
                reason = f"{negative} rows have {column.name} of 0 or less, which often means returned"
                conditions.append((f"{quoted(column.name)} > 0", reason))
    odd_ids = _odd_ids(candidate)
    if odd_ids:
        condition = f'matches({quoted(candidate.name)}, "[0-9].*")'
        examples = ", ".join(odd_ids[:5])
        conditions.append((condition, f"nearly all {candidate.name} begin with a digit, but not {examples}"))
    return conditions


def is_amount(column: InferredColumn) -> bool:
    """Returns whether a column is a number of items, such as a quantity."""
    return bool(set(_AMOUNT_WORDS) & column.words) and column.is_numeric


def quoted(name: str) -> str:
    """Returns a column's name in the syntax of a filter."""
    plain = _SQL_NAME.fullmatch(name) and name not in ("and", "or", "not", "in", "is", "None", "True", "False", "col")
    return name if plain else f'col("{name}")'


def _score(column: InferredColumn, words: Sequence[str]) -> int:
    """Returns a score for a column's name; higher is better, and 0 is no match."""
    scores = [len(words) - index for index, word in enumerate(words) if _has_word(column, word)]
    if not scores or len(column.counts) <= 1:
        return 0
    return 100 * bool(set(_ID_WORDS) & column.words or _ends_in_id(column)) + max(scores)


def _has_word(column: InferredColumn, word: str) -> bool:
    return word in column.words or any(part == f"{word}id" or part == f"{word}s" for part in column.words)


def _ends_in_id(column: InferredColumn) -> bool:
    return any(part.endswith("id") for part in column.words)


def _time_rank(column: InferredColumn) -> int:
    return min(_TIME_WORDS.index(word) for word in column.words if word in _TIME_WORDS)


def _event_weight(value: str) -> float | None:
    word = value.strip().lower()
    return next((weight for words, weight in _EVENT_WEIGHTS if word in words), None)


def _rare_prefix(column: InferredColumn) -> str | None:
    """Returns the first letter of less than a tenth of the ids, if all others begin without a letter."""
    letters = collections.Counter(text[0] for text in column.present if text[0].isalpha())
    plain = len(column.present) - sum(letters.values())
    if not letters or plain < 0.9 * len(column.present):
        return None
    letter, rows = letters.most_common(1)[0]
    return letter if rows >= 3 else None


def _odd_ids(column: InferredColumn) -> list[str]:
    """Returns the ids without a digit at the start, most frequent first; none if they are not rare."""
    odd_counts = {value: count for value, count in column.counts.items() if not value[0].isdigit()}
    rows = sum(odd_counts.values())
    if not odd_counts or rows > 0.05 * len(column.present) or len(odd_counts) > 0.05 * len(column.counts):
        return []
    return sorted(odd_counts, key=lambda value: -odd_counts[value])
