"""Bodies of the API's requests: their fields, and one sentence per problem."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import pydantic

from shortlist.config.serve import ServeLimits
from shortlist.scalars import BadCell, iso_seconds

_MAX_ID = 1_000
_MAX_VALUE = 200
_MAX_INT64 = 2**63 - 1


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


def _read_time(value: object) -> object:
    if isinstance(value, str):
        try:
            return int(iso_seconds(value) // 1)
        except BadCell:
            raise ValueError("expected seconds since 1970 or ISO 8601 text") from None
    return value


Id = Annotated[str, pydantic.Field(min_length=1, max_length=_MAX_ID)]
"""A candidate's or a query's id."""

Time = Annotated[
    int,
    pydantic.BeforeValidator(_read_time, json_schema_input_type=int | str),
    pydantic.Field(ge=0, le=_MAX_INT64, strict=True),
]
"""Seconds since 1970, or the log's order number; ISO 8601 text is also read."""

FeatureValue = str | float | int | None | list[str] | list[float]
"""A value of a feature; a list for several categories."""


class Body(pydantic.BaseModel):
    """Base of all bodies: unknown fields are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Event(Body):
    """An interaction of the history."""

    id: Id
    """The candidate."""

    time: Time = 0
    """When it was; 0 if unknown."""

    features: dict[str, FeatureValue] = pydantic.Field(default_factory=dict, max_length=100)
    """Features of the interaction that the model reads."""


class AttributeFilter(Body):
    """A rule for one attribute; `any` and `none` for categories, `min` and `max` for numbers and times."""

    any: list[Annotated[str, pydantic.Field(max_length=_MAX_ID)]] = []
    """The candidate must have one of these."""

    none: list[Annotated[str, pydantic.Field(max_length=_MAX_ID)]] = []
    """The candidate must have none of these."""

    min: pydantic.FiniteFloat | None = None
    """Smallest value."""

    max: pydantic.FiniteFloat | None = None
    """Largest value."""


Filter = dict[str, AttributeFilter]


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

    k: int = pydantic.Field(10, ge=1, le=100_000, strict=True)
    """Number of candidates."""

    exclude: list[Id] = []
    """Candidates to leave out, in addition to the history."""

    allow: list[Id] = []
    """Candidates to choose from; by default all."""


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


def _sentence(error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    path = ""
    for part in first["loc"]:
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
    for name, values, limit in (
        ("history", request.history or (), limits.max_history),
        ("exclude", request.exclude, limits.max_exclude),
        ("allow", request.allow, limits.max_exclude),
    ):
        if len(values) > limit:
            raise RefusedRequest(400, f"{name} has {len(values):,} entries; this server takes at most {limit:,}.")
