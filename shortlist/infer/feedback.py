"""Columns that tell interactions apart: types of events, ratings, and impressions with or without a click."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from shortlist.infer import names
from shortlist.infer.columns import InferredColumn
from shortlist.infer.names import quoted

# Usual weights of interaction types, in ascending order.
_EVENT_WEIGHTS = (
    (("view", "click", "clicks", "pageview", "pv", "impression", "visit", "play", "viewed", "clicked", "watch"), 1.0),
    (("detail", "open", "read", "listen", "watched", "played", "item_view", "view_item", "page_view"), 1.0),
    (("like", "fav", "favorite", "favourite", "wishlist", "save", "bookmark", "liked", "share", "favor"), 2.0),
    (("cart", "carts", "addtocart", "add_to_cart", "basket", "add to cart", "addtobasket", "add"), 3.0),
    (("purchase", "purchases", "buy", "order", "orders", "transaction", "checkout", "bought", "purchased"), 10.0),
)
_CLEAR_WORDS = ("event", "action", "behavior", "behaviour", "interaction", "activity")
_MAX_TYPES = 30
_MAX_RATINGS = 25
# With fewer clicks, the log is for another task, and too little would be left.
_MIN_TAKEN = 0.1
_YES = ("1", "1.0", "true", "True", "TRUE", "t", "yes", "Y", "y")
_NO = ("0", "0.0", "false", "False", "FALSE", "f", "no", "N", "n")


@dataclasses.dataclass(frozen=True)
class EventTypes:
    """A column of interaction types."""

    column: InferredColumn
    weights: dict[str, float]
    """Weight of each type; 0 for unknown types."""

    unknown: Sequence[str]
    """Types without a usual weight."""


def find_event_types(columns: Iterable[InferredColumn], other_roles: Collection[str]) -> EventTypes | None:
    """Returns the column with interaction types; None if no column has a known type."""
    for column in columns:
        if column.name in other_roles or not names.has_word(column.name, names.EVENT_TYPE_WORDS):
            continue
        if not 2 <= len(column.counts) <= _MAX_TYPES or column.missing_share > 0:
            continue
        weights = {value: _event_weight(value) for value in column.counts}
        unknown = [value for value, weight in weights.items() if weight is None]
        # A `type` without clear words may be anything, so all of its values must be known.
        enough = len(unknown) < len(weights) if names.has_word(column.name, _CLEAR_WORDS) else not unknown
        if enough:
            known = {value: weight or 0.0 for value, weight in weights.items()}
            return EventTypes(column, dict(sorted(known.items(), key=lambda pair: pair[1])), unknown)
    return None


def find_unknown_types(columns: Iterable[InferredColumn], other_roles: Collection[str]) -> InferredColumn | None:
    """Returns a column that is named like event types, but has no known type."""
    for column in columns:
        words = names.words_of(column.name)
        is_named = names.has_word(column.name, _CLEAR_WORDS) or words in (("type",), ("kind",))
        is_free = is_named and column.name not in other_roles
        if is_free and 2 <= len(column.counts) <= _MAX_TYPES and not _is_binary(column):
            return column
    return None


def find_outcomes(columns: Iterable[InferredColumn], other_roles: Collection[str]) -> list[InferredColumn]:
    """Returns the columns that may say that an interaction failed or was disliked, such as `status` or `is_valid`."""
    found = []
    for column in columns:
        words = names.words_of(column.name)
        is_named = names.has_word(column.name, names.OUTCOME_WORDS) or (words[:1] in (("is",), ("has",)))
        if is_named and column.name not in other_roles and 2 <= len(column.counts) <= _MAX_TYPES:
            found.append(column)
    return found


def find_impressions(
    columns: Iterable[InferredColumn], other_roles: Collection[str]
) -> tuple[InferredColumn, str] | None:
    """Returns a column of clicks or likes, and the filter for the rows that have one."""
    found = []
    for column in columns:
        words = set(names.words_of(column.name)) - {"is", "has", "was", "did"}
        if column.name in other_roles or not words or not words <= set(names.FEEDBACK_WORDS) or not _is_binary(column):
            continue
        if sum(count for value, count in column.counts.items() if value in _YES) >= _MIN_TAKEN * len(column.present):
            found.append(column)
    # A click is the first sign of interest, so that `click` comes before `conversion`.
    for column in sorted(found, key=lambda column: names.rank_of(column.name, names.FEEDBACK_WORDS) or 0):
        yes = next(value for value in column.counts if value in _YES)
        constant = yes if column.is_numeric else f'"{yes}"'
        return column, f"{quoted(column.name)} == {constant}"
    return None


def find_rating(columns: Iterable[InferredColumn], other_roles: Collection[str]) -> InferredColumn | None:
    """Returns the column with ratings, if there is one."""
    for column in columns:
        is_named = column.name not in other_roles and names.has_word(column.name, names.RATING_WORDS)
        if is_named and column.is_numeric and len(column.counts) >= 2 and not _is_binary(column):
            return column
    return None


def rating_advice(rating: InferredColumn, candidate: InferredColumn) -> str:
    """Returns a sentence about a column of ratings: its use, and the filter or the weights to consider."""
    name = quoted(rating.name)
    lowest, highest = min(rating.numbers), max(rating.numbers)
    values = f"{_plain(lowest)} to {_plain(highest)}"
    if len(rating.counts) > _MAX_RATINGS or highest > 100:
        return (
            f"{rating.name} has {len(rating.counts):,} different numbers, {values}: every row counts once; "
            f"`weight: {{column: {rating.name}}}` under interactions would weight the loss by it."
        )
    threshold = _liked_from(lowest, highest)
    kept = [number >= threshold for number in rating.numbers]
    candidates = {
        item
        for item, text in zip(candidate.texts, rating.texts, strict=True)
        if item is not None and text is not None and _number(text) >= threshold
    }
    sentence = (
        f"{rating.name} is a rating of {values}: every rated row counts as an interaction. To learn from liked "
        f"candidates only, add `filter: {name} >= {_plain(threshold)}` to interactions (keeps {sum(kept):,} of "
        f"{len(kept):,} rows and {len(candidates):,} of {len(candidate.counts):,} candidates)"
    )
    if lowest <= 0:
        count = sum(number == lowest for number in rating.numbers)
        sentence += f"; {count:,} rows have {_plain(lowest)}, which often means not rated"
    return f"{sentence}."


def _liked_from(lowest: float, highest: float) -> float:
    """Returns the lowest rating that means liked: 4 of 5, 7 of 10, above 0 where there are negative ones only."""
    if lowest < 0 and highest <= 1:
        return 1
    if highest <= 5:
        return 4 if highest > 3 else highest
    if highest <= 10:
        return 7
    return round(0.7 * highest)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("-inf")


def _plain(number: float) -> str:
    return f"{float(number):g}"


def _is_binary(column: InferredColumn) -> bool:
    values = set(column.counts)
    return len(values) == 2 and bool(values & set(_YES)) and bool(values & set(_NO))


def _event_weight(value: str) -> float | None:
    word = value.strip().lower()
    return next((weight for words, weight in _EVENT_WEIGHTS if word in words), None)
