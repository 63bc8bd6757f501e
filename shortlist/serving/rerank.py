"""Re-ranking of the model's answer by request-time rules. The module needs NumPy only, and all functions are pure.

    pool                the best candidates of a query, about 500 (`index.pool`)
      -> boost          adds temperature * log(factor) to a score: factor 2 doubles the model's odds, 0.5 halves them
      -> diversity      maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998)
      -> promote        the last places of the list, as far as a promotion still lacks candidates
      -> the list, best first

The same pool and rules give the same list. Ties are in the order of the pool.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from shortlist.errors import BadInputError
from shortlist.quoting import short_repr
from shortlist.serving import rules, similarity
from shortlist.serving.rules import Attributes, Filter, Rule

# Sums in float64 differ in the last digits between equal candidates of different rows; such candidates have to tie.
_DECIMALS = 9
_MAX_FACTOR = 1e6


@dataclasses.dataclass(frozen=True)
class Condition:
    """The candidates that a boost or a promotion concerns: those with one of the ids that pass the filter."""

    filter: Mapping[str, Rule] = dataclasses.field(default_factory=dict)
    """Rule by attribute; empty for all candidates."""
    ids: frozenset[str] = frozenset()
    """Candidate ids; empty for all candidates."""


@dataclasses.dataclass(frozen=True)
class Boost:
    """A factor for the odds of some candidates: above 1 boosts them, below 1 buries them."""

    condition: Condition
    factor: float
    """Above 0. The factors of several boosts are multiplied."""


@dataclasses.dataclass(frozen=True)
class Promotion:
    """A minimum number of candidates of the list."""

    condition: Condition
    at_least: int
    """Number of places; fewer are filled only if the pool has fewer such candidates."""


@dataclasses.dataclass(frozen=True)
class Rerank:
    """The rules of a request."""

    diversity: float = 0.0
    """0 orders by relevance, 1 by difference from the candidates before it."""
    boosts: tuple[Boost, ...] = ()
    promotions: tuple[Promotion, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the rules change no list."""
        return not (self.diversity or self.boosts or self.promotions)

    @property
    def attributes(self) -> set[str]:
        """The attributes that a pool must have."""
        conditions = [boost.condition for boost in self.boosts] + [rule.condition for rule in self.promotions]
        return {name for condition in conditions for name in condition.filter}


@dataclasses.dataclass(frozen=True)
class Pool:
    """The candidates of one query, best first."""

    ids: Sequence[str]
    """[size] candidate ids."""
    scores: npt.NDArray[np.float32]
    """[size] the model's scores, descending up to `num_extra`."""
    embeddings: npt.NDArray[np.float32] | None = None
    """[size, embedding_dim] of any length; needed with diversity."""
    attributes: Attributes = dataclasses.field(default_factory=dict)
    """[size] values per attribute that the rules name."""
    temperature: float = 1.0
    """The temperature of the model's loss, see `shortlist.model_files.temperature`: scores / temperature are logits."""
    num_extra: int = 0
    """Number of candidates at the end that only promotions may choose, since they are not among the best."""


@dataclasses.dataclass(frozen=True)
class Place:
    """One place of the list."""

    row: int
    """Position in the pool."""
    boost: float = 1.0
    """Product of the factors that apply to the candidate; 1 without any."""
    is_promoted: bool = False
    """Whether a promotion took this place from a better candidate."""


def rerank(pool: Pool, request: Rerank, k: int) -> list[Place]:
    """Returns the list of the best k candidates under the rules, best first; fewer if the pool has fewer.

    Raises:
      ValueError: The pool lacks embeddings or an attribute that the rules need.
    """
    missing = request.attributes - set(pool.attributes)
    if missing or (request.diversity and pool.embeddings is None):
        raise ValueError(f"the pool lacks {sorted(missing) or 'embeddings'}")
    factors = _factors(pool, request.boosts)
    adjusted = pool.scores.astype(np.float64) + pool.temperature * np.log(factors)
    regular = len(pool.ids) - pool.num_extra
    chosen = _Selection(adjusted, regular, request.diversity, pool.embeddings)
    demands = [_Demand(rule.at_least, _meets(pool, rule.condition)) for rule in request.promotions]
    places: list[Place] = []
    while len(places) < k:
        best = chosen.best(np.arange(len(pool.ids)) < regular)
        lacking = [demand for demand in demands if demand.open_places(chosen.is_left)]
        is_forced = sum(demand.open_places(chosen.is_left) for demand in lacking) >= k - len(places)
        row = best
        if lacking and (is_forced or best is None):
            row = chosen.best(np.any([demand.wanted for demand in lacking], axis=0))
        if row is None:
            break
        places.append(Place(row, float(factors[row]), is_promoted=row != best))
        chosen.take(row)
        for demand in demands:
            demand.missing -= int(demand.wanted[row])
    return places


@dataclasses.dataclass
class _Demand:
    """The open part of a promotion."""

    missing: int
    wanted: npt.NDArray[np.bool_]

    def open_places(self, is_left: npt.NDArray[np.bool_]) -> int:
        return max(0, min(self.missing, int((self.wanted & is_left).sum())))


class _Selection:
    """The candidates that are left, and their value given those that were taken."""

    def __init__(
        self,
        adjusted: npt.NDArray[np.float64],
        regular: int,
        diversity: float,
        embeddings: npt.NDArray[np.float32] | None,
    ) -> None:
        self.is_left = np.ones(len(adjusted), np.bool_)
        self._diversity = diversity
        self._relevance = _relevance(adjusted, regular) if diversity else adjusted
        # By relevance, then by position in the pool; `argmax` takes the first of equals.
        self._order = np.argsort(-adjusted, kind="stable")
        self._directions = similarity.directions(embeddings) if diversity and embeddings is not None else None
        self._closest = np.full(len(adjusted), -np.inf)

    def best(self, allowed: npt.NDArray[np.bool_]) -> int | None:
        """Returns the best candidate that is left and allowed; None if there is none."""
        allowed = allowed & self.is_left
        if not allowed.any():
            return None
        value = np.where(allowed, self._value(), -np.inf)[self._order]
        # An allowed candidate of an infinitely low score comes before all that are not allowed.
        ties = np.flatnonzero((value == value.max()) & allowed[self._order])
        return int(self._order[ties[0]])

    def take(self, row: int) -> None:
        """Removes a candidate; its neighbours lose value."""
        self.is_left[row] = False
        if self._directions is not None:
            cosines = np.round(self._directions @ self._directions[row], _DECIMALS)
            self._closest = np.maximum(self._closest, cosines)

    def _value(self) -> npt.NDArray[np.float64]:
        if self._directions is None or self.is_left.all():
            return self._relevance
        return (1.0 - self._diversity) * self._relevance - self._diversity * self._closest


def _relevance(adjusted: npt.NDArray[np.float64], regular: int) -> npt.NDArray[np.float64]:
    """Returns scores scaled so that the regular candidates have 0 to 1, like cosines; others may have less."""
    if not regular:
        return adjusted
    low, high = adjusted[:regular].min(), adjusted[:regular].max()
    return np.asarray((adjusted - low) / (high - low if high > low else 1.0))


def _factors(pool: Pool, boosts: Sequence[Boost]) -> npt.NDArray[np.float64]:
    factors = np.ones(len(pool.ids))
    for boost in boosts:
        factors[_meets(pool, boost.condition)] *= boost.factor
    return factors


def _meets(pool: Pool, condition: Condition) -> npt.NDArray[np.bool_]:
    met = rules.matches(condition.filter, pool.attributes, len(pool.ids))
    if condition.ids:
        met &= np.fromiter((item in condition.ids for item in pool.ids), np.bool_, len(pool.ids))
    return met


def parse(diversity: object, boost: object, promote: object, kinds: Mapping[str, str], k: int) -> Rerank:
    """Returns the rules of a request from their JSON form; None is no rule.

    Args:
      diversity: A number from 0 to 1.
      boost: A list of `{"where": FILTER, "ids": [...], "factor": NUMBER}`; one of `where` and `ids` suffices.
      promote: A list of `{"where": FILTER, "ids": [...], "at_least": NUMBER}`.
      kinds: The attributes that a filter may name, with their type in the config.
      k: Length of the list.

    Raises:
      BadInputError: The form is another, a number is out of range, or the promotions exceed k.
    """
    boosts = [
        Boost(_condition(item, "factor", kinds, where), _positive(item["factor"], f"{where}.factor"))
        for where, item in _items(boost, "boost", "factor")
    ]
    promotions = [
        Promotion(_condition(item, "at_least", kinds, where), _whole(item["at_least"], f"{where}.at_least"))
        for where, item in _items(promote, "promote", "at_least")
    ]
    places = sum(rule.at_least for rule in promotions)
    if places > k:
        raise BadInputError.from_parts("promote", f"at most k={k} places in all", places)
    return Rerank(_share(diversity), tuple(boosts), tuple(promotions))


def _items(value: object, name: str, number: str) -> list[tuple[str, Mapping[str, object]]]:
    if value is None:
        return []
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise BadInputError.from_parts(name, "a list", short_repr(value))
    for item in value:
        if not isinstance(item, Mapping) or number not in item or not {"where", "ids"} & set(item):
            raise BadInputError.from_parts(name, f"objects with {number}, and where or ids", short_repr(item))
    return [(f"{name}[{position}]", item) for position, item in enumerate(value)]


def _condition(item: Mapping[str, object], number: str, kinds: Mapping[str, str], where: str) -> Condition:
    unknown = sorted(map(str, set(item) - {"where", "ids", number}))
    if unknown:
        raise BadInputError.from_parts(where, f"the keys where, ids and {number}", short_repr(unknown[0]))
    ids = item.get("ids")
    if ids is not None and (
        isinstance(ids, str) or not isinstance(ids, Sequence) or not all(isinstance(one, str) for one in ids)
    ):
        raise BadInputError.from_parts(f"{where}.ids", "a list of strings", short_repr(ids))
    found: Filter = rules.parse_filter(item.get("where"), kinds, f"{where}.where")
    if not ids and not found:
        raise BadInputError.from_parts(where, "a rule in where, or an id in ids", "neither")
    return Condition(found, frozenset(ids or ()))


def _share(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise BadInputError.from_parts("diversity", "a number from 0 to 1", short_repr(value))
    return float(value)


def _positive(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1.0 / _MAX_FACTOR <= value <= _MAX_FACTOR:
        remedy = "a filter removes candidates" if value == 0 else ""
        raise BadInputError.from_parts(where, "a number from 0.000001 to 1000000", short_repr(value), remedy)
    return float(value)


def _whole(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInputError.from_parts(where, "a whole number of 1 or more", short_repr(value))
    return value
