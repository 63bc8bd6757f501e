"""The answers of the API, from parsed requests to plain dicts; it knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from server.asking import question_of
from server.channel import GoneError
from server.facts import Facts
from server.known import Histories, Known
from server.metrics import Metrics
from server.question import Answer, Question
from server.request_log import RequestLog
from server.requests import (
    OutcomeRequest,
    RecommendRequest,
    RefusedRequest,
    SimilarRequest,
    check_filter,
    check_limits,
    plain_filter,
    refused,
    seconds,
)
from server.rollout import Active, Rollout
from shortlist import keys
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from shortlist.serving import rules

_MAX_SHOWN = 100
# A version may end between its choice and the call; then the next one is asked.
_ATTEMPTS = 3
_LOOKUP_THREADS = 4
_MAX_TIME = 2**63 - 1
_FIRST_SECONDS = 31_536_000


class Service:
    """Answers requests with the versions of a rollout."""

    def __init__(
        self,
        rollout: Rollout,
        settings: Serve,
        metrics: Metrics,
        histories: Histories | None = None,
        log: RequestLog | None = None,
    ) -> None:
        self.histories = histories
        # Not the threads of other calls, which may all wait for a model.
        self._lookups = concurrent.futures.ThreadPoolExecutor(_LOOKUP_THREADS, "histories")
        self.log = log
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
        """Returns the answer to a request, whose items are `Item`s: orjson writes dataclasses.

        Raises:
          RefusedRequest: The request breaks a limit, or names what the model does not have.
        """
        check_limits(request, self.settings.limits)
        at = int(time.time()) if request.at is None else seconds(request.at, "at")
        known = await self._known(request.query, at)
        for _ in range(_ATTEMPTS):
            active, variant = self.pick(request.query or request_id)
            question = question_of(request, active.facts, at, known)
            try:
                answer = await active.batcher.ask(question)
            except GoneError:
                continue
            except BadInputError as error:
                raise refused(error) from None
            break
        else:
            raise _gone()
        facts = active.facts
        self._count(question, answer, variant)
        if self.log is not None:
            self._log(self.log, request, question, answer, facts.version, variant, request_id)
        found: dict[str, Any] = {
            "items": answer.items,
            "version": facts.version,
            "variant": variant,
            "as_of": _time_text(at) if facts.uses_times else None,
            "request_id": request_id,
        }
        if answer.fallback is not None:
            found["fallback"] = answer.fallback
        return found

    def call(self, sticky: str, method: str, arguments: Callable[[Facts], Sequence[Any]]) -> tuple[Any, Facts]:
        """Returns the value of a call of a version, and the version; see `server.worker.Worker`.

        Args:
          sticky: The query's id, so that it keeps its version.
          method: The call.
          arguments: Returns its arguments for a version.

        Raises:
          RefusedRequest: No version is loaded, or the version refuses the call.
        """
        for _ in range(_ATTEMPTS):
            active, _ = self.pick(sticky)
            facts = active.facts
            try:
                return active.model.call(method, *arguments(facts)), facts
            except GoneError:
                continue
        raise _gone()

    def call_named(self, name: str, version: str | None, label: str | None, method: str, *arguments: Any) -> Any:
        """Returns the value of a call of the version that a request of TF Serving's API names.

        Raises:
          RefusedRequest: There is no such model, version or label, or the version refuses the call.
        """
        return call_named(self.rollout, name, version, label, method, *arguments)

    async def _known(self, query: str | None, before: int) -> Known:
        if query is None or self.histories is None:
            return Known([])
        if self.histories.is_in_memory:
            return self.histories.find(query, before) or Known([])
        # A disk must not keep all other requests waiting.
        found = await asyncio.get_running_loop().run_in_executor(self._lookups, self.histories.find, query, before)
        return found or Known([])

    def similar(self, request: SimilarRequest, request_id: str) -> dict[str, Any]:
        """Returns the candidates that are similar to others.

        Raises:
          RefusedRequest: The model does not know a candidate or an attribute.
        """
        if (request.id is None) == (request.ids is None):
            raise RefusedRequest(400, "Give either id or ids.")
        check_filter(request.filter, self.settings.limits)

        def arguments(facts: Facts) -> tuple[Any, ...]:
            try:
                wanted = rules.parse_filter(plain_filter(request.filter), facts.kinds)
            except BadInputError as error:
                raise refused(error) from None
            return request.ids or [str(request.id)], wanted, request.k

        items, facts = self.call("", "similar", arguments)
        return {"items": items, "version": facts.version, "request_id": request_id}

    def query(self, query_id: str, before: int = _MAX_TIME) -> dict[str, Any]:
        """Returns the history of a known query.

        Raises:
          RefusedRequest: The server has no histories, or does not know the query.
        """
        if self.histories is None:
            raise RefusedRequest(404, "This server has no histories; serve.histories names their table.")
        known = self.histories.find(query_id, before)
        if known is None:
            raise RefusedRequest(404, f"There is no history of query {query_id[:_MAX_SHOWN]!r}.")
        events = known.events
        titles, facts = self.call(query_id, "titles", lambda _: [[event.id for event in events]])
        history = [{**titled, "time": event.time} for titled, event in zip(titles, events, strict=True)]
        return {"query": query_id, "history": history, "version": facts.version}

    @staticmethod
    def _log(
        log: RequestLog,
        request: RecommendRequest,
        question: Question,
        answer: Answer,
        version: str,
        variant: str,
        request_id: str,
    ) -> None:
        asked = request.model_dump(include={"filter", "diversity", "boost", "promote"}, exclude_defaults=True)
        newest = max(question.row[keys.HISTORY_TIMES], default=0)
        row = {
            "time": int(time.time()),
            "request_id": request_id,
            "version": version,
            "variant": variant,
            "k": request.k,
            "rules": json.dumps(asked) if asked else None,
            "history_length": len(question.history_ids),
            "unknown_ids": answer.unknown_ids,
            "newest_age": question.row[keys.QUERY_TIME] - newest if newest else None,
            "fallback": answer.fallback,
            "ids": [item.id for item in answer.items],
            "scores": [item.score for item in answer.items],
        }
        log.add_request(row, request.query)

    def outcome(self, request: OutcomeRequest) -> dict[str, Any]:
        """Takes what happened after a request.

        Raises:
          RefusedRequest: The server has no log.
        """
        if self.log is None:
            raise RefusedRequest(404, "This server has no request log; serve.log.folder switches it on.")
        moment = int(time.time()) if request.time is None else seconds(request.time, "time")
        row = {"time": moment, "request_id": request.request_id, "id": request.id, "event": request.event}
        self.log.add_outcome(row)
        return {"in_sample": self.log.has(request.request_id)}

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
        found, facts = self.call("", "candidates", lambda _: (search, limit))
        return {"candidates": found, "version": facts.version}


def call_named(
    rollout: Rollout, name: str, version: str | None, label: str | None, method: str, *arguments: Any
) -> Any:
    """Returns the value of a call of the version that a request of TF Serving's API names.

    Raises:
      RefusedRequest: There is no such model, version or label, or the version refuses the call.
    """
    for _ in range(_ATTEMPTS):
        active = rollout.version(rollout.directory.find(name, version, label))
        if active is None:
            continue
        try:
            return active.model.call(method, *arguments)
        except GoneError:
            continue
    raise _gone()


def _gone() -> RefusedRequest:
    return RefusedRequest(503, "The version has just ended; try again.", {"retry-after": "1"})


def new_request_id() -> str:
    """Returns a random id of a request."""
    return os.urandom(16).hex()


def _time_text(moment: int) -> str:
    """Returns a time in ISO 8601; an order number as it is."""
    if not _FIRST_SECONDS <= moment < 253_402_300_800:
        return str(moment)
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
