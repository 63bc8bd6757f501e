"""The answers of the API, from parsed requests to plain dicts; it knows nothing of HTTP."""

from __future__ import annotations

import dataclasses
import datetime
import time
import uuid
from typing import Any

from server.metrics import Metrics
from server.model import Answer, Item, LoadedModel, Question
from server.requests import RecommendRequest, RefusedRequest, check_limits
from server.rollout import Active, Rollout
from shortlist import keys
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from shortlist.quoting import closest

_MAX_SEARCH = 1_000
_FIRST_SECONDS = 31_536_000


class Service:
    """Answers requests with the versions of a rollout."""

    def __init__(self, rollout: Rollout, settings: Serve, metrics: Metrics) -> None:
        self.rollout = rollout
        self.settings = settings
        self.metrics = metrics

    def pick(self, sticky: str) -> tuple[Active, str]:
        """Returns the version that answers, and its variant.

        Raises:
          RefusedRequest: None is loaded.
        """
        try:
            return self.rollout.pick(sticky)
        except LookupError:
            raise RefusedRequest(503, "No version is loaded yet.", {"retry-after": "5"}) from None

    async def recommend(self, request: RecommendRequest, request_id: str) -> dict[str, Any]:
        """Returns the answer to a request.

        Raises:
          RefusedRequest: The request breaks a limit, or the model has no such feature.
        """
        check_limits(request, self.settings.limits)
        active, variant = self.pick(request.query or request_id)
        at = int(time.time()) if request.at is None else request.at
        question = self._question(request, active.model, at)
        answer = await active.batcher.ask(question)
        self._count(question, answer, variant)
        found: dict[str, Any] = {
            "items": [_item(item) for item in answer.items],
            "version": active.model.version,
            "variant": variant,
            "as_of": _time_text(at) if active.model.uses_times else None,
            "request_id": request_id,
        }
        if answer.fallback is not None:
            found["fallback"] = answer.fallback
        return found

    def _question(self, request: RecommendRequest, model: LoadedModel, at: int) -> Question:
        if request.k > model.max_k:
            raise RefusedRequest(400, f"k is {request.k:,}; this model returns at most {model.max_k:,}.")
        events = request.history or []
        ids = [event.id for event in events]
        try:
            row: dict[str, Any] = model.inputs_of_context(request.context)
            if any(event.features for event in events):
                row |= model.inputs_of_events([event.features for event in events])
        except BadInputError as error:
            raise RefusedRequest(400, f"{str(error)[0].upper()}{str(error)[1:]}.") from None
        row |= {
            keys.QUERY_ID: request.query,
            keys.HISTORY_IDS: ids,
            keys.HISTORY_TIMES: [event.time for event in events],
            keys.QUERY_TIME: at,
            keys.K: request.k,
            keys.EXCLUDE: [*(ids if model.excludes_seen else ()), *request.exclude],
            keys.ALLOW: request.allow,
        }
        return Question(row, tuple(ids), request.k)

    def _count(self, question: Question, answer: Answer, variant: str) -> None:
        metrics = self.metrics
        metrics.answers.labels(variant).inc()
        if len(answer.items) < question.k:
            metrics.short_answers.inc()
        if not answer.items:
            metrics.empty_answers.inc()
        if answer.unknown_ids:
            metrics.unknown_ids.inc(answer.unknown_ids)
        if answer.unknown_ids == len(question.history_ids):
            metrics.cold_starts.inc()
        if answer.fallback is not None:
            metrics.fallbacks.inc()

    def candidates(self, search: str, limit: int) -> dict[str, Any]:
        """Returns candidates whose title or id has a text, those that begin with it first.

        Args:
          search: The text; case does not matter. Empty: any candidate.
          limit: Number of candidates.
        """
        model = self.pick("")[0].model
        wanted = search.casefold()
        first: list[int] = []
        others: list[int] = []
        for row, item in enumerate(model.ids):
            title = (model.title_of(row) or "").casefold()
            if title.startswith(wanted) or item.casefold().startswith(wanted):
                first.append(row)
                if len(first) >= limit:
                    break
            elif len(others) < limit and wanted in title:
                others.append(row)
        rows = [*first, *others][:limit]
        found = [{"id": model.ids[row], "title": model.title_of(row)} for row in rows]
        return {"candidates": found, "version": model.version}

    def rows_of(self, model: LoadedModel, ids: list[str]) -> list[int]:
        """Returns the rows of candidates.

        Raises:
          RefusedRequest: The model does not know one.
        """
        rows = []
        for item in ids:
            row = model.row_of(item)
            if row is None:
                near = closest(item, model.ids) if len(model.ids) <= _MAX_SEARCH else None
                hint = f"; did you mean {near!r}?" if near else "."
                raise RefusedRequest(404, f"The model does not know candidate {item[:100]!r}{hint}")
            rows.append(row)
        return rows


def new_request_id() -> str:
    """Returns a random id of a request."""
    return uuid.uuid4().hex


def _item(item: Item) -> dict[str, Any]:
    return {"id": item.id, "title": item.title, "score": item.score, "near": item.near, "promoted": False}


def _time_text(moment: int) -> str:
    """Returns a time in ISO 8601; an order number as it is."""
    if not _FIRST_SECONDS <= moment < 253_402_300_800:
        return str(moment)
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def titles_of(model: LoadedModel, ids: list[str]) -> list[dict[str, Any]]:
    """Returns id and title of candidates, the title None for those that the model does not know."""
    found = []
    for item in ids:
        row = model.row_of(item)
        found.append({"id": item, "title": None if row is None else model.title_of(row)})
    return found


@dataclasses.dataclass(frozen=True)
class Status:
    """Whether the server takes traffic, and why not."""

    is_ready: bool
    reason: str = ""
