"""Which column of a log is the query, the candidate, the time; what in it is dirt."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterable, Sequence

from shortlist.errors import ConfigError
from shortlist.infer.columns import InferredColumn

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

# How much a type of interaction usually says, from the least to the most.
_EVENT_WEIGHTS = (
    (("view", "click", "pageview", "pv", "impression", "visit", "play"), 1.0),
    (("like", "fav", "favorite", "favourite", "wishlist", "save"), 2.0),
    (("cart", "addtocart", "add_to_cart", "basket"), 3.0),
    (("purchase", "buy", "order", "transaction", "checkout"), 10.0),
)

_SQL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find_role(
    role: str, words: Sequence[str], columns: Iterable[InferredColumn], taken: Sequence[str], option: str
) -> InferredColumn:
    """Returns the column whose name says that it holds the role's ids.

    Args:
      role: What the column is, for the error.
      words: Words of names that say so, the surest first.
      columns: The table's columns.
      taken: Names that have another role.
      option: The command's option that names the column.

    Raises:
      ConfigError: No name says it, or two say it as clearly.
    """
    free = [column for column in columns if column.name not in taken and column.present]
    ranked = sorted(((_score(column, words), column) for column in free), key=lambda pair: pair[0], reverse=True)
    good = [pair for pair in ranked if pair[0] > 0]
    if not good or (len(good) > 1 and good[0][0] == good[1][0]):
        names = ", ".join(column.name for column in free)
        several = f"{good[0][1].name} and {good[1][1].name}" if good else "no name that says so"
        raise ConfigError.from_parts(
            "", f"a column that is the {role}", f"{several} among {names}", f"name it with {option}"
        )
    return good[0][1]


def find_query_id(columns: Iterable[InferredColumn], taken: Sequence[str]) -> InferredColumn:
    """Returns the column of query ids; raises as `find_role` does."""
    return find_role("query (user) id", _QUERY_WORDS, columns, taken, "--query-id")


def find_candidate_id(columns: Iterable[InferredColumn], taken: Sequence[str]) -> InferredColumn:
    """Returns the column of candidate ids; raises as `find_role` does."""
    return find_role("candidate (item) id", _CANDIDATE_WORDS, columns, taken, "--candidate-id")


def find_time(columns: Iterable[InferredColumn], taken: Sequence[str]) -> InferredColumn:
    """Returns the column of times: one that a file keeps as times first, then by name.

    Raises:
      ConfigError: There is none.
    """
    free = [column for column in columns if column.name not in taken and column.present]
    typed = [column for column in free if column.is_time or column.is_iso]
    named = [column for column in free if column.is_numeric and set(_TIME_WORDS) & column.words]
    found = typed or sorted(named, key=_time_rank)
    if not found:
        names = ", ".join(column.name for column in free)
        raise ConfigError.from_parts(
            "",
            "a column of times",
            f"none among {names}",
            "name it with --timestamp, and convert dates such as 12/1/2010 8:26 to ISO 8601 or seconds since "
            "1970 first",
        )
    return found[0]


def find_basket(columns: Iterable[InferredColumn], taken: Sequence[str]) -> InferredColumn | None:
    """Returns the column of basket ids (invoice, order), if there is one."""
    named = [column for column in columns if column.name not in taken and set(_BASKET_WORDS) & column.words]
    return next((column for column in named if set(_ID_WORDS) & column.words), None)


def find_events(
    columns: Iterable[InferredColumn], taken: Sequence[str]
) -> tuple[InferredColumn, dict[str, float]] | None:
    """Returns the column of interaction types, with a weight for each, if all of them are known words."""
    for column in columns:
        if column.name in taken or not set(_EVENT_WORDS) & column.words or not 2 <= len(column.counts) <= 20:
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
    """Returns conditions that rows should meet, with a sentence why.

    Args:
      columns: The log's columns.
      query: Of query ids.
      candidate: Of candidate ids.
      time: Of times.
      basket: Of basket ids, where there is one.
    """
    found = []
    for column in (query, candidate, time):
        if column.blanks:
            share = column.blanks / len(column.texts)
            found.append((f"{quoted(column.name)} is not None", f"{share:.1%} of the rows have no {column.name}"))
    prefix = _rare_prefix(basket) if basket else None
    if basket and prefix:
        condition = f'not {quoted(basket.name)}.startswith("{prefix}")'
        found.append((condition, f"a few {basket.name} begin with {prefix}, as cancelled ones do"))
    for column in columns:
        if is_amount(column):
            negative = sum(number <= 0 for number in column.numbers)
            if 0 < negative < 0.1 * len(column.numbers):
                found.append(
                    (f"{quoted(column.name)} > 0", f"{negative} rows have {column.name} of 0 or less, as returns do")
                )
    odd = _odd_ids(candidate)
    if odd:
        condition = f'matches({quoted(candidate.name)}, "[0-9].*")'
        found.append((condition, f"nearly all {candidate.name} begin with a digit, but not {', '.join(odd[:5])}"))
    return found


def is_amount(column: InferredColumn) -> bool:
    """Returns whether a column says how many of a candidate one row is about."""
    return bool(set(_AMOUNT_WORDS) & column.words) and column.is_numeric


def quoted(name: str) -> str:
    """Returns a column's name as a filter writes it."""
    plain = _SQL_NAME.fullmatch(name) and name not in ("and", "or", "not", "in", "is", "None", "True", "False", "col")
    return name if plain else f'col("{name}")'


def _score(column: InferredColumn, words: Sequence[str]) -> int:
    """Higher is surer; 0 is no."""
    said = [len(words) - index for index, word in enumerate(words) if _says(column, word)]
    if not said:
        return 0
    return 100 * bool(set(_ID_WORDS) & column.words or _ends_in_id(column)) + max(said) if len(column.counts) > 1 else 0


def _says(column: InferredColumn, word: str) -> bool:
    return word in column.words or any(part == f"{word}id" or part == f"{word}s" for part in column.words)


def _ends_in_id(column: InferredColumn) -> bool:
    return any(part.endswith("id") for part in column.words)


def _time_rank(column: InferredColumn) -> int:
    return min(_TIME_WORDS.index(word) for word in column.words if word in _TIME_WORDS)


def _event_weight(value: str) -> float | None:
    word = value.strip().lower()
    return next((weight for words, weight in _EVENT_WEIGHTS if word in words), None)


def _rare_prefix(column: InferredColumn) -> str | None:
    """Returns the letter that less than a tenth of otherwise numeric ids begin with."""
    first: Callable[[str], str] = lambda text: text[0] if text[0].isalpha() else ""  # noqa: E731
    letters = collections.Counter(map(first, column.present))
    plain = letters.pop("", 0)
    if not letters or plain < 0.9 * len(column.present):
        return None
    letter, rows = letters.most_common(1)[0]
    return letter if rows >= 3 else None


def _odd_ids(column: InferredColumn) -> list[str]:
    """Returns the ids that do not begin with a digit where nearly all rows' ids do."""
    odd = {value: count for value, count in column.counts.items() if not value[0].isdigit()}
    if not odd or sum(odd.values()) > 0.05 * len(column.present) or len(odd) > 0.05 * len(column.counts):
        return []
    return sorted(odd, key=lambda value: -odd[value])
