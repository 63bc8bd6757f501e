"""A question to a model, and its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from server.corpus import Item
from shortlist.serving.rerank import Rerank
from shortlist.serving.rules import Filter


@dataclasses.dataclass(frozen=True)
class Question:
    """A request, as the model is asked it."""

    row: Mapping[str, Any]
    """Values by input of the signature, see `shortlist.serving.input_tensors.signature_inputs`."""

    history_ids: tuple[str, ...] = ()
    """Candidate ids of the history, oldest first, for `near`."""

    k: int = 10
    """Number of candidates."""

    filter: Filter = dataclasses.field(default_factory=dict)
    """Rules by attribute that every candidate passes."""

    rerank: Rerank = dataclasses.field(default_factory=Rerank)
    """Diversity, boosts and promotions."""

    @property
    def has_rules(self) -> bool:
        """Whether the best candidates alone are no answer."""
        return bool(self.filter) or not self.rerank.is_empty


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one question."""

    items: list[Item]
    fallback: str | None = None
    """`popularity` if the model had no answer; None otherwise."""

    unknown_ids: int = 0
    """Items of the history that the model does not know."""
