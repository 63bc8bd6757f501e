"""The questions that a version is asked before it takes traffic: those of the ServingCheck, on histories of its own."""

from __future__ import annotations

import random
from typing import Any

from server.model import RECOMMEND, LoadedModel
from server.question import Question
from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving import input_tensors
from shortlist.serving.answer_rules import Case, ServedAnswers, find_violations
from shortlist.serving.rerank import Rerank

_NUM_QUERIES = 16
_HISTORY = 50
_FEW = 1_000
_MAX_NAMED = 3


def check(model: LoadedModel, max_batch: int) -> None:
    """Warms a model up and checks its answers.

    Args:
      model: The version.
      max_batch: The largest batch that it will be asked.

    Raises:
      BadInputError: An answer breaks a rule.
    """
    generator = random.Random(0)  # noqa: S311  Not for secrets.
    few = generator.sample(model.corpus.ids, min(len(model.corpus.ids), _FEW))
    histories = [
        generator.sample(few, min(len(few), generator.randint(0, _HISTORY))) for _ in range(max(_NUM_QUERIES - 1, 0))
    ]
    rows: list[dict[str, Any]] = [
        {keys.HISTORY_IDS: history, keys.HISTORY_TIMES: list(range(1, len(history) + 1)), keys.K: model.max_k}
        for history in [[], *histories]
    ]
    corpus = frozenset(model.corpus.ids)
    everything: list[set[str]] = [set() for _ in rows]
    seen = [set(row[keys.HISTORY_IDS]) for row in rows]
    problems = _ask(model, Case("plain", everything, [None] * len(rows), model.max_k), rows, corpus)
    excluding = [row | {keys.EXCLUDE: row[keys.HISTORY_IDS]} for row in rows]
    problems += _ask(model, Case("exclude", seen, [None] * len(rows), model.max_k), excluding, corpus)
    one = [row | {keys.K: 1} for row in rows]
    problems += _ask(model, Case("k=1", everything, [None] * len(rows), 1), one, corpus)
    allowing = [row | {keys.ALLOW: few} for row in excluding]
    problems += _ask(model, Case("allow", seen, [few] * len(rows), model.max_k), allowing, corpus)
    nobody = [{keys.QUERY_ID: "\x00nobody", keys.K: model.max_k}]
    problems += _ask(model, Case("an unknown query", [()], [None], model.max_k), nobody, corpus)
    if problems:
        named = "; ".join(problems[:_MAX_NAMED])
        raise BadInputError.from_parts(model.folder, "answers that keep the rules", named, "push another version")
    _warm_up(model, max_batch)


def _ask(model: LoadedModel, case: Case, rows: list[dict[str, Any]], corpus: frozenset[str]) -> list[str]:
    specs = model.signatures[RECOMMEND].structured_input_signature[1]
    outputs = model.signatures[RECOMMEND](**input_tensors.signature_inputs(specs, rows))
    answers = ServedAnswers(
        ids=[[item.decode("utf-8", "replace") for item in line] for line in outputs[keys.IDS].numpy()],
        scores=outputs[keys.SCORES].numpy().tolist(),
        count=outputs[keys.COUNT].numpy().tolist(),
    )
    return find_violations(case, answers, corpus)


def _warm_up(model: LoadedModel, max_batch: int) -> None:
    """Asks batches of each size that occurs: a first call of a size allocates memory."""
    history = model.corpus.ids[:_HISTORY]
    row = {keys.HISTORY_IDS: history, keys.EXCLUDE: history, keys.K: 10}
    plain, ruled = (Question(row, tuple(history), 10, rerank=ranking) for ranking in (Rerank(), Rerank(diversity=0.5)))
    size = 1
    while size <= max_batch:
        model.answer([plain] * size)
        size *= 2
    # Rules ask another signature.
    model.answer([ruled])
