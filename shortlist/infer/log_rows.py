"""Which rows of the log count, and how much: the filter, the weights and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shortlist.infer import dirt, feedback, names, profile
from shortlist.infer.columns import determines
from shortlist.infer.log_columns import LogColumns

# Above it, `repeats: first` is proposed, and the profile's reader is told about repeat consumption.
_MANY_REPEATS = 0.1


def add_filter_and_weights(
    log: LogColumns, conditions: Sequence[dirt.Condition], section: dict[str, Any], reasons: list[str]
) -> list[str]:
    """Adds the filter, the weights and `repeats` to the log's section. Returns the names of the columns they use."""
    texts = [condition.text for condition in conditions]
    for condition in conditions:
        rows, candidates = dirt.losses([condition], log.candidate)
        reasons.append(
            f"Filter `{condition.text}`: {condition.reason}; it drops {rows:,} rows and all rows of {candidates:,} "
            "candidates."
        )
    known = [*log.roles, *([log.basket.name] if log.basket else [])]
    used = known[len(log.roles) :]
    impressions = feedback.find_impressions(log.columns, known)
    if impressions:
        column, condition_text = impressions
        texts.append(condition_text)
        kept = sum(text == _constant(condition_text) for text in column.texts)
        reasons.append(
            f"Filter `{condition_text}`: {column.name} says whether a shown candidate was taken; {kept:,} of "
            f"{len(column.texts):,} rows were. The others are impressions, no interactions."
        )
        used.append(column.name)
    if texts:
        section["filter"] = " and ".join(texts)
    events = None if impressions else feedback.find_event_types(log.columns, known)
    if events:
        section["weight"] = {"column": events.column.name, "values": events.weights}
        reasons.append(f"{events.column.name} is the interaction's type; its weights are a guess: {events.weights}.")
        for value in events.unknown:
            reasons.append(
                f"{value!r} is no known type of {events.column.name} ({events.column.counts[value]:,} rows): weight 0 "
                "makes it history and never a target. Give it a weight, or drop its rows with `filter: "
                f"{names.quoted(events.column.name)} != {_quoted_text(value)}` if it means the opposite of interest."
            )
        used.append(events.column.name)
    elif not impressions and (unknown := feedback.find_unknown_types(log.columns, [*known, *used])):
        listed = ", ".join(map(repr, list(unknown.counts)[:5]))
        reasons.append(
            f"{unknown.name} looks like a type of interaction, but none of its values is known ({listed}): all rows "
            "count the same. Weights per type: `weight: {column: ..., values: {...}}` under interactions."
        )
    for column in feedback.find_outcomes(log.columns, [*known, *used]):
        if not determines(log.candidate, column) and not determines(log.query, column):
            listed = ", ".join(f"{value!r} {count:,}" for value, count in column.counts.most_common(5))
            value = column.counts.most_common()[-1][0]
            reasons.append(
                f"{column.name} differs between rows ({listed}), and all of them count the same. If some mean no "
                f"interest, drop them, e.g. `filter: {names.quoted(column.name)} != {_quoted_text(value)}`."
            )
    rating = feedback.find_rating(log.columns, [*known, *used])
    if rating:
        reasons.append(feedback.rating_advice(rating, log.candidate))
        used.append(rating.name)
    repeats = profile.repeated_share(log.query, log.candidate)
    if repeats > _MANY_REPEATS and not events:
        section["repeats"] = "first"
        reasons.append(
            f"Repeats `first`: {repeats:.0%} of the rows repeat an earlier pair of query and candidate, and "
            "recommendations never include seen items. If people are to be recommended what they had before, use "
            "`repeats: all` and `evaluate.repeat_consumption: true`."
        )
    elif repeats > _MANY_REPEATS:
        reasons.append(
            f"{repeats:.0%} of the rows repeat an earlier pair of query and candidate. Plain metrics leave out targets "
            "that were seen before; if people are to be recommended what they had before, set "
            "`evaluate.repeat_consumption: true`."
        )
    return used


def _constant(condition: str) -> str:
    return condition.rsplit(" == ", 1)[1].strip('"')


def _quoted_text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
