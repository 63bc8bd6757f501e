"""Roles of a log's columns: query, candidate and basket."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Collection, Sequence

from shortlist.errors import ConfigError
from shortlist.infer import names
from shortlist.infer.columns import InferredColumn, determines

# Of all rows with a basket id, the least share that share it with another row of the same query.
_MIN_BASKET_SHARE = 0.2
_MAX_MISSING = 0.5
# Below this number of rows, a column in which each row has a value of its own may be an id all the same.
_MIN_UNIQUE_ROWS = 50
# Fewer values are classes, not ids.
_MIN_IDS = 5
_MAX_WORDS = 3
# Columns below it cannot have the role, but mostly missing ones are still named as runners-up.
_LOWEST = -350.0
# A best column below it is a question.
_UNFIT = -100.0


@dataclasses.dataclass(frozen=True)
class RoleChoice:
    """The column of a role, and the runner-up with the reason for which it lost."""

    column: InferredColumn
    runner_up: str | None = None


@dataclasses.dataclass(frozen=True)
class _Scored:
    column: InferredColumn
    score: float
    faults: Sequence[str]


def find_query_id(columns: Sequence[InferredColumn], other_roles: Collection[str]) -> RoleChoice:
    """Returns the column with the query ids: a person's, or else a session's.

    Raises:
      ConfigError: No name fits, or two fit equally well.
    """
    return _choose("query (user) id", "--query-id", columns, other_roles, _query_score)


def find_candidate_id(columns: Sequence[InferredColumn], other_roles: Collection[str]) -> RoleChoice:
    """Returns the column with the candidate ids.

    Raises:
      ConfigError: No name fits, or two fit equally well.
    """
    return _choose("candidate (item) id", "--candidate-id", columns, other_roles, _candidate_score)


def find_basket(
    columns: Sequence[InferredColumn], query: InferredColumn, other_roles: Collection[str]
) -> InferredColumn | None:
    """Returns the column with basket ids (invoice, order), if one groups several rows of one query."""
    for column in columns:
        if column.name in other_roles or not names.has_word(column.name, names.BASKET_WORDS):
            continue
        if names.is_id_name(column.name) and column.missing_share <= _MAX_MISSING and _groups_rows(column, query):
            return column
    return None


def _choose(
    role: str,
    option: str,
    columns: Sequence[InferredColumn],
    other_roles: Collection[str],
    score_of: Callable[[InferredColumn], _Scored | None],
) -> RoleChoice:
    free = [column for column in columns if column.name not in other_roles and column.present]
    scored = [entry for column in free if (entry := score_of(column)) is not None and entry.score > _LOWEST]
    scored.sort(key=lambda entry: entry.score, reverse=True)
    if scored and scored[0].score > _UNFIT and (len(scored) == 1 or scored[0].score > scored[1].score):
        runner_up = None
        if len(scored) > 1 and (scored[1].score > 0 or scored[1].column.missing_share > _MAX_MISSING):
            lost = " and ".join(scored[1].faults) or "its name says it less clearly"
            runner_up = f"{scored[1].column.name}: {lost}"
        return RoleChoice(scored[0].column, runner_up)
    got = f"no such name among {names.enumerated([column.name for column in free]) or 'no columns with values'}"
    remedy = f"name it with {option}"
    nested = [column.name for column in columns if column.is_nested]
    if nested:
        got += f"; {names.enumerated(nested)} have objects or lists of objects as cells, which are not read"
        remedy += (
            "; if it is inside of them, write flat rows first, e.g. with pandas: "
            'pd.json_normalize(rows).to_json("flat.jsonl", orient="records", lines=True)'
        )
    if len(scored) > 1 and scored[0].score > _UNFIT:
        best, second = scored[0].column, scored[1].column
        got = f"{best.name} and {second.name}, which fit equally well"
        remedy = f"choose with {option} {best.name} or {option} {second.name}"
    elif not scored and (basket := _basket_of_lines(free)):
        remedy += (
            f"; if {basket} belongs to another table that has it, join the two first, e.g. with pandas: "
            f'lines.merge(orders, on="{basket}").to_csv("joined.csv", index=False)'
        )
    raise ConfigError.from_parts("", f"a column that is the {role}", got, remedy)


def _query_score(column: InferredColumn) -> _Scored | None:
    rank = names.rank_of(column.name, names.PERSON_WORDS)
    session = names.rank_of(column.name, names.SESSION_WORDS)
    if rank is None and session is None:
        return None
    score, faults = _score_of_id(column, ("name",))
    if session is not None:
        faults.append("a session is no person")
    elif rank is not None:
        score += 100.0 + len(names.PERSON_WORDS) - rank
    return _Scored(column, score, faults) if len(column.counts) > 1 else None


def _candidate_score(column: InferredColumn) -> _Scored | None:
    rank = names.rank_of(column.name, names.CANDIDATE_WORDS)
    if rank is None or len(column.counts) < 2:
        return None
    score, faults = _score_of_id(column, ("title",))
    return _Scored(column, score + len(names.CANDIDATE_WORDS) - rank, faults)


def _score_of_id(column: InferredColumn, allowed_details: Collection[str]) -> tuple[float, list[str]]:
    """Returns the part of a score that ids of queries and candidates share, and the column's faults."""
    score = 0.0
    faults = []
    if names.is_id_name(column.name) or len(names.words_of(column.name)) == 1:
        score += 100.0
    if names.is_detail_name(column.name, allowed_details if len(names.words_of(column.name)) == 1 else ()):
        score -= 80.0
        faults.append("its name is that of a detail")
    if len(column.counts) < _MIN_IDS and len(column.present) >= _MIN_UNIQUE_ROWS:
        score -= 200.0
        faults.append(f"it has {len(column.counts)} values")
    if len(names.words_of(column.name)) > _MAX_WORDS and not names.is_id_name(column.name):
        score -= 150.0
        faults.append("its name is that of a detail")
    if column.missing_share > _MAX_MISSING:
        score -= 300.0
        nulls = f" ({', '.join(sorted(column.null_counts))})" if column.null_counts else ""
        faults.append(f"{column.missing_share:.0%} of its cells are missing{nulls}")
    if column.is_unique and len(column.present) >= _MIN_UNIQUE_ROWS:
        score -= 150.0
        faults.append("nearly every row has a value of its own")
    if column.is_nested or column.is_list:
        score -= 300.0
        faults.append("its cells are lists or objects")
    return score, faults


def _groups_rows(basket: InferredColumn, query: InferredColumn) -> bool:
    """Returns whether enough baskets have several rows, all of one query."""
    pairs = collections.Counter(
        (basket_id, query_id)
        for basket_id, query_id in zip(basket.texts, query.texts, strict=True)
        if basket_id is not None and query_id is not None
    )
    shared = sum(count for count in pairs.values() if count > 1)
    if shared < _MIN_BASKET_SHARE * sum(pairs.values()):
        return False
    return len(query.counts) < 2 or determines(basket, query)


def _basket_of_lines(columns: Sequence[InferredColumn]) -> str | None:
    """Returns the name of a basket's id in a table of order lines, which names no query."""
    for column in columns:
        if names.has_word(column.name, names.BASKET_WORDS) and names.is_pure_id_name(column.name):
            return column.name
    return None
