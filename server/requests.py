"""Bodies of the API's requests: their fields, and one sentence per problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import pydantic

from shortlist.config.serve import ServeLimits
from shortlist.errors import BadInputError
from shortlist.scalars import BadCell, iso_seconds

_MAX_ID = 1_000
_MAX_VALUE = 200
_MAX_SENTENCE = 500
_MAX_INT64 = 2**63 - 1
_UNION_MEMBERS = frozenset({"constrained-int", "constrained-str"})


class RefusedRequest(Exception):
    """A request that is answered with a status of 4xx or 503 and one sentence."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        """Takes the answer.

        Args:
          status: HTTP's status.
          sentence: The sentence for the client.
          headers: Further headers.
        """
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or {}

    def __reduce__(self) -> tuple[type[RefusedRequest], tuple[int, str, dict[str, str]]]:
        """Permits another process to raise it here."""
        return type(self), (self.status, self.sentence, self.headers)


def refused(error: BadInputError) -> RefusedRequest:
    """Returns the refusal of a request with a wrong value."""
    text = str(error)
    return RefusedRequest(400, f"{text[0].upper()}{text[1:].rstrip('.')}."[:_MAX_SENTENCE])


Id = Annotated[str, pydantic.Field(min_length=1, max_length=_MAX_ID)]
"""A candidate's or a query's id."""

# Not a validator in Python, which would take 6 us per item of a history: `seconds` reads texts afterwards.
Time = Annotated[int, pydantic.Field(ge=0, le=_MAX_INT64, strict=True)] | Annotated[str, pydantic.Field(max_length=60)]
"""Seconds since 1970, or the log's order number; or ISO 8601 text."""

# `server.features` checks it against the model's input: its sentence names the feature, not the members of a union.
FeatureValue = Annotated[str | float | int | list[str] | list[float] | None, pydantic.SkipValidation]
"""A value of a feature; a list for several categories, or for a vector."""


class Body(pydantic.BaseModel):
    """Base of all bodies: unknown fields are refused, and so are true and "1" where a number is expected."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Event(Body):
    """An interaction of the history."""

    id: Id
    """The candidate."""

    time: Time = 0
    """When it was; 0 if unknown."""

    features: dict[str, FeatureValue] | None = pydantic.Field(None, max_length=100)
    """Features of the interaction that the model reads."""


Value = Annotated[str, pydantic.Field(min_length=1, max_length=_MAX_ID)]


class AttributeFilter(Body):
    """A rule for one attribute: `any` and `none` for categories, `min` and `max` for numbers and times."""

    any: list[Value] | None = None
    """The candidate must have one of these."""

    none: list[Value] | None = None
    """The candidate must have none of these."""

    min: pydantic.FiniteFloat | None = None
    """Smallest value."""

    max: pydantic.FiniteFloat | None = None
    """Largest value."""


Filter = Annotated[dict[Value, AttributeFilter], pydantic.Field(max_length=100)]


class Boost(Body):
    """A factor for the odds of some candidates: above 1 boosts them, below 1 buries them."""

    where: Filter | None = None
    """The candidates that pass this filter."""

    ids: list[Id] | None = None
    """Or some of these candidates."""

    factor: float
    """0.5 halves the odds, 2 doubles them."""


class Promotion(Body):
    """A number of places for some candidates."""

    where: Filter | None = None
    """The candidates that pass this filter."""

    ids: list[Id] | None = None
    """Or some of these candidates."""

    at_least: int
    """Number of places in the answer."""


class RecommendRequest(Body):
    """A request for recommendations; without history and query it is a new visitor's."""

    query: Id | None = None
    """Id of the query (user)."""

    history: list[Event] | None = None
    """Interactions, oldest first. For a known query they are added to its history."""

    at: Time | None = None
    """The time of the request, now by default."""

    context: dict[str, FeatureValue] = pydantic.Field(default_factory=dict, max_length=100)
    """Features of the query and of the request."""

    k: int = pydantic.Field(10, ge=1, le=100_000)
    """Number of candidates."""

    exclude: list[Id] = []
    """Candidates to leave out, in addition to the history."""

    allow: list[Id] = []
    """Candidates to choose from; by default all."""

    filter: Filter = {}
    """Rules by attribute that every candidate passes."""

    diversity: float | None = pydantic.Field(None, ge=0, le=1)
    """0 orders by relevance, 1 by difference from the candidates before."""

    boost: list[Boost] = pydantic.Field([], max_length=20)
    """Candidates that come earlier or later."""

    promote: list[Promotion] = pydantic.Field([], max_length=20)
    """Candidates that get places of the answer."""


class SimilarRequest(Body):
    """A request for candidates that are similar to others."""

    id: Id | None = None
    """The candidate."""

    ids: list[Id] | None = pydantic.Field(None, min_length=1, max_length=100)
    """Several candidates instead: similar to their mean."""

    k: int = pydantic.Field(10, ge=1, le=1_000)
    """Number of candidates."""

    filter: Filter = {}
    """Rules by attribute that every candidate passes."""


class OutcomeRequest(Body):
    """Something that happened to a candidate after a request."""

    request_id: str = pydantic.Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    """The `request_id` of the answer."""

    id: Id
    """The candidate."""

    event: str = pydantic.Field(min_length=1, max_length=100)
    """What happened, such as `click` or `purchase`."""

    time: Time | None = None
    """When it happened, now by default."""


Parsed = TypeVar("Parsed", bound=Body)


def parse(kind: type[Parsed], content: bytes) -> Parsed:
    """Returns a parsed body.

    Raises:
      RefusedRequest: It is not JSON, or a field is wrong.
    """
    try:
        return kind.model_validate_json(content or b"{}")
    except pydantic.ValidationError as error:
        raise RefusedRequest(400, _sentence(error)) from None


def seconds(time: int | str, name: str) -> int:
    """Returns a time of a request as seconds.

    Raises:
      RefusedRequest: It is a text, and not ISO 8601.
    """
    if isinstance(time, int):
        return time
    try:
        found = int(iso_seconds(time) // 1)
    except BadCell:
        found = -1
    if found < 0:
        raise RefusedRequest(400, f"{name}: expected seconds since 1970 or ISO 8601 text, got {_short(time)}.")
    return found


def _sentence(error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    path = ""
    for part in first["loc"]:
        # Pydantic names the member of a union.
        if part in _UNION_MEMBERS:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return f"The body is not JSON: {message.removeprefix('Invalid JSON: ')}."[:_MAX_VALUE]
    if first["type"] == "extra_forbidden":
        return f"{path[:_MAX_VALUE]} is not a field of this request."
    return f"{path[:_MAX_VALUE] or 'The body'}: {message[0].lower()}{message[1:]}, got {_short(first['input'])}."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_limits(request: RecommendRequest, limits: ServeLimits) -> None:
    """Refuses lists that are too long.

    Raises:
      RefusedRequest: One is.
    """
    conditions: list[Boost | Promotion] = [*request.boost, *request.promote]
    filters = [request.filter, *(condition.where or {} for condition in conditions)]
    _check_length("history", len(request.history or ()), limits.max_history)
    _check_length("exclude", len(request.exclude), limits.max_exclude)
    _check_length("allow", len(request.allow), limits.max_exclude)
    _check_length("The filters", sum(map(num_values, filters)), limits.max_filter_values)
    ids = sum(len(condition.ids or ()) for condition in conditions)
    _check_length("The ids of boost and promote", ids, limits.max_exclude)


def check_filter(rules: Filter, limits: ServeLimits) -> None:
    """Refuses a filter with too many values.

    Raises:
      RefusedRequest: It has.
    """
    _check_length("filter", num_values(rules), limits.max_filter_values)


def num_values(rules: Filter) -> int:
    """Returns the number of values in a filter."""
    return sum(len(rule.any or ()) + len(rule.none or ()) + 1 for rule in rules.values())


def _check_length(name: str, length: int, limit: int) -> None:
    if length > limit:
        verb = "have" if name.startswith("The") else "has"
        raise RefusedRequest(400, f"{name} {verb} {length:,} entries; this server takes at most {limit:,}.")


def plain_filter(rules: Filter | None) -> dict[str, Any] | None:
    """Returns a filter as plain JSON, as `shortlist.serving.rules` takes it."""
    return None if rules is None else {name: rule.model_dump(exclude_none=True) for name, rule in rules.items()}


def plain_conditions(conditions: Sequence[Boost | Promotion]) -> list[dict[str, Any]]:
    """Returns boosts or promotions as plain JSON, as `shortlist.serving.rerank` takes it."""
    return [condition.model_dump(exclude_none=True) for condition in conditions]
