"""Results of a run's gates, from ML Metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist.lineage.executions import Execution, output_of
from shortlist.records import nodes, properties
from shortlist.records.artifacts import Blessing, index_of, json_object, sentences
from shortlist.verdicts import Gate, GateResult, Result, complete

# Older versions recorded sentences only; parts of their texts show which gate each is about.
_OLDER_SENTENCES = (
    ("most popular's", Gate.POPULARITY),
    ("test split was evaluated", Gate.POPULARITY),
    ("that its query had not seen", Gate.POPULARITY),
    ("latest blessed model", Gate.PREVIOUS_MODEL),
    ("earlier model", Gate.PREVIOUS_MODEL),
    ("empty history", Gate.NEW_USERS),
    ("random list", Gate.NEW_USERS),
    ("train interactions", Gate.NEW_ITEMS),
)
_OLDER_NOT_JUDGED = ("not gated: ", "not compared ")


def gate_results(executions: Mapping[str, Execution], otherwise: str) -> list[GateResult]:
    """Returns one result per gate, in the fixed order.

    Args:
      executions: A run's executions by node.
      otherwise: Why gates without a record were not judged.
    """
    done = {node: execution for node, execution in executions.items() if execution.state in ("COMPLETE", "CACHED")}
    results = _data(done)
    # Nodes after a gate that failed leave a verdict, too: that of the gate.
    for judge, refusal in _STAGES:
        results += judge(done)
        if any(result.result is Result.FAILED for result in results):
            return complete(results, refusal)
    return complete(results, otherwise)


def _data(done: Mapping[str, Execution]) -> list[GateResult]:
    # Windows has the last checks of the data; in a reindex, Refresh has.
    last, key = (nodes.REFRESH, "blessing") if nodes.REFRESH in done else (nodes.WINDOWS, "examples")
    if nodes.DATA_GATE not in done or last not in done:
        return []
    outputs = (output_of(done[nodes.DATA_GATE], "report"), output_of(done[last], key))
    warnings = sum(len(sentences(output, properties.WARNINGS)) for output in outputs)
    if not warnings:
        return [GateResult(gate=Gate.DATA, result=Result.PASSED, sentence="no errors and no warnings")]
    text = f"no errors, {warnings} warning{'s' * (warnings > 1)}"
    return [GateResult(gate=Gate.DATA, result=Result.WARNED, sentence=text)]


def _evaluated(done: Mapping[str, Execution]) -> list[GateResult]:
    blessing = Blessing.of(output_of(done.get(nodes.EVALUATOR), "blessing"))
    if blessing is None:
        return []
    return blessing.gates or _of_older_version(blessing)


def _of_older_version(blessing: Blessing) -> list[GateResult]:
    found: dict[Gate, GateResult] = {}
    decisive = Result.PASSED if blessing.blessed else Result.FAILED
    for texts, otherwise in ((blessing.reasons, decisive), (blessing.warnings, Result.WARNED)):
        for text in texts:
            gate = next((gate for part, gate in _OLDER_SENTENCES if part in text), Gate.POPULARITY)
            result = Result.NOT_JUDGED if text.startswith(_OLDER_NOT_JUDGED) else otherwise
            found.setdefault(gate, GateResult(gate=gate, result=result, sentence=text))
    return list(found.values())


def _index(done: Mapping[str, Execution]) -> list[GateResult]:
    indexer = done.get(nodes.INDEXER)
    blessing = Blessing.of(output_of(indexer, "blessing"))
    if indexer is None or blessing is None or blessing.status == properties.NOT_BLESSED:
        return []
    required = json_object(indexer.properties.get(properties.CONFIG)).get("min_recall")
    index = index_of(output_of(indexer, "model"))
    value = index.get("recall_at_k")
    sentence = "; ".join(blessing.reasons)
    if blessing.blessed:
        sentence = _recall(index, required)
    return [
        GateResult(
            gate=Gate.INDEX,
            result=Result.PASSED if blessing.blessed else Result.FAILED,
            sentence=sentence,
            value=value,
            required=required,
        )
    ]


def _recall(index: Mapping[str, Any], required: float | None) -> str:
    if "recall_at_k" not in index:
        return "built"
    text = f"{index.get('kind')}: recall@{index.get('k')} {index['recall_at_k']:.4f} against exact search"
    return text if required is None else f"{text}; required {required:g}"


def _serving(done: Mapping[str, Execution]) -> list[GateResult]:
    blessing = Blessing.of(output_of(done.get(nodes.SERVING_CHECK), "blessing"))
    if blessing is None or blessing.status in (properties.NOT_BLESSED, properties.NOT_CHECKED):
        return []
    if blessing.blessed:
        sentence = "the model and its exact copy load in new processes and agree"
        return [GateResult(gate=Gate.SERVING, result=Result.PASSED, sentence=sentence)]
    return [GateResult(gate=Gate.SERVING, result=Result.FAILED, sentence="; ".join(blessing.reasons))]


_STAGES = (
    (_evaluated, "the model was not blessed"),
    (_index, "the index was rejected"),
    (_serving, ""),
)
