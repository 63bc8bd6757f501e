"""The question that a request asks of a version."""

from __future__ import annotations

from typing import Any

from server.facts import Facts
from server.known import Known
from server.question import Question
from server.requests import RecommendRequest, RefusedRequest, plain_conditions, plain_filter, refused, seconds
from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving import rerank, rules


def question_of(request: RecommendRequest, model: Facts, at: int, known: Known) -> Question:
    """Returns the question of a request.

    Args:
      request: The request.
      model: The version.
      at: The time of the request, in seconds since 1970 or as an order number.
      known: What the server knows of the query.

    Raises:
      RefusedRequest: It names what the version does not have, or has a wrong value.
    """
    if request.k > model.max_k:
        raise RefusedRequest(400, f"k is {request.k:,}; this model returns at most {model.max_k:,}.")
    events = request.history or []
    ids = [*(event.id for event in known.events), *(event.id for event in events)]
    times = [*(event.time for event in known.events), *(seconds(event.time, "history") for event in events)]
    try:
        row: dict[str, Any] = model.features.inputs(known, request.context, events)
        wanted = rules.parse_filter(plain_filter(request.filter), model.kinds)
        boosts, promotions = plain_conditions(request.boost), plain_conditions(request.promote)
        ranking = rerank.parse(request.diversity, boosts, promotions, model.kinds, request.k)
    except BadInputError as error:
        raise refused(error) from None
    row |= {
        keys.QUERY_ID: request.query,
        keys.HISTORY_IDS: ids,
        keys.HISTORY_TIMES: times,
        keys.QUERY_TIME: at,
        keys.K: request.k,
        keys.EXCLUDE: [*((*ids, *known.seen) if model.excludes_seen else ()), *request.exclude],
        keys.ALLOW: request.allow,
    }
    return Question(row, tuple(ids), request.k, wanted, ranking)
