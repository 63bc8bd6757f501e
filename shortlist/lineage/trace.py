"""Walks from a pushed model back to the data that it came from."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable

from shortlist import inputs
from shortlist.errors import BadInputError
from shortlist.findings import WARNINGS_PROPERTY
from shortlist.lineage import journal
from shortlist.lineage.store import Artifact, Execution, Store

# Inputs of Baseline and DataGate that come from an earlier run.
_COMPARED_WITH = re.compile(r"baseline|.+_before")


@dataclasses.dataclass(frozen=True)
class Step:
    """One node on the way, and what it says of itself."""

    execution: Execution
    facts: list[str]


@dataclasses.dataclass(frozen=True)
class Trace:
    """All that made one pushed model, from the push back to the files."""

    version: int
    path: str
    steps: list[Step]
    cut_short: list[Step]
    """Attempts since the first of these steps that did not get to their end."""


def trace_pushed(store: Store, version: int | None = None, at_work: bool = False) -> Trace:
    """Returns what made a pushed version, the newest unless told.

    Args:
      store: The workspace's.
      version: A version that was pushed, by a run or by hand.
      at_work: Whether a command writes to the workspace now: what looks unfinished was killed otherwise.

    Raises:
      BadInputError: Nothing, or not this version, was pushed.
    """
    by_version = pushed_models(store)
    if not by_version:
        raise BadInputError(
            "nothing was pushed from this workspace yet; `shortlist run` ends with a push or its reason"
        )
    chosen = max(by_version) if version is None else version
    if chosen not in by_version:
        raise BadInputError(f"version {chosen} was never pushed; there are {sorted(by_version)}")
    artifact = by_version[chosen]
    made_by = upstream(store, artifact.id)
    first, last = made_by[-1].id, made_by[0].id
    cut_short = [
        Step(execution, [_end(execution, at_work)])
        for execution in store.executions()
        if first < execution.id and (chosen == max(by_version) or execution.id < last)
        if execution.state == "RUNNING" or journal.KILLED in execution.properties
    ]
    steps = [Step(execution, _facts(execution)) for execution in made_by]
    return Trace(chosen, str(artifact.properties["pushed_destination"]), steps, cut_short)


def pushed_models(store: Store) -> dict[int, Artifact]:
    """Returns the record of every version that was ever pushed, by a run or by hand; the oldest first."""
    pushed = [artifact for artifact in store.artifacts("PushedModel") if artifact.properties.get("pushed") == 1]
    return {int(artifact.properties["pushed_version"]): artifact for artifact in pushed}


def told_by_hand(store: Store, version: int) -> str | None:
    """Returns by whom and why a version is served, where no run pushed it: a rollback or a forced push did."""
    artifact = pushed_models(store).get(version)
    execution = store.producer(artifact.id) if artifact else None
    if execution is None or execution.node not in (journal.ROLLBACK, journal.FORCED_PUSH):
        return None
    return "; ".join(_facts(execution))


def _end(execution: Execution, at_work: bool) -> str:
    if execution.state != "RUNNING":
        return f"killed: {execution.properties[journal.KILLED]}"
    return "running" if at_work else "killed: its process died, and nothing was run since"


def upstream(store: Store, artifact_id: int) -> list[Execution]:
    """Returns the executions that an artifact depends on, latest first; not those that it was only compared with."""
    found: dict[int, Execution] = {}
    waiting = [artifact_id]
    seen = set(waiting)
    while waiting:
        execution = store.producer(waiting.pop())
        if execution is None or execution.id in found:
            continue
        found[execution.id] = execution
        for key, artifacts in execution.inputs.items():
            if _COMPARED_WITH.fullmatch(key):
                continue
            fresh = [item.id for item in artifacts if item.id not in seen]
            seen.update(fresh)
            waiting += fresh
    return [found[key] for key in sorted(found, reverse=True)]


def _facts(execution: Execution) -> list[str]:
    """What a reader wants to know of a node; unknown nodes have none."""
    teller = _TELLERS.get(execution.node)
    if teller is None and execution.node.endswith("Gen"):
        teller = _ingestion
    return teller(execution) if teller else []


def _pusher(execution: Execution) -> list[str]:
    pushed = execution.output("pushed_model")
    return (
        [f"version {pushed.properties['pushed_version']} to {pushed.properties['pushed_destination']}"]
        if pushed
        else []
    )


def _rollback(execution: Execution) -> list[str]:
    properties = execution.properties
    return [
        f"rolled back to version {properties['restored_version']} from {properties['replaced_version']}",
        _by(execution),
    ]


def _forced_push(execution: Execution) -> list[str]:
    overridden = json.loads(str(execution.properties["overridden"]))
    reasons = [f"overrides {node}: {reason}" for node, reasons in overridden.items() for reason in reasons]
    return ["pushed by force", *reasons, _by(execution)]


def _by(execution: Execution) -> str:
    reason = execution.properties["reason"]
    return f"by {execution.properties['by']}" + (f": {reason}" if reason else "")


def _blessing(execution: Execution) -> list[str]:
    verdict = execution.output("blessing")
    if verdict is None:
        return []
    word = "blessed" if verdict.properties.get("blessed") == 1 else "not blessed"
    reasons = json.loads(str(verdict.properties.get("reasons", "[]")))
    return [f"{word}: {reason}" for reason in reasons] or [word]


def _indexer(execution: Execution) -> list[str]:
    model = execution.output("model")
    if model is None or "index" not in model.properties:
        return _blessing(execution)
    index = json.loads(str(model.properties["index"]))
    return [f"{index['kind']}, recall@{index['k']} {index['recall_at_k']:.4f}, p99 {index['p99_ms']:.2f} ms"]


def _trainer(execution: Execution) -> list[str]:
    custom = json.loads(str(execution.properties.get("custom_config", "{}"))) or {}
    model, train = custom.get("model", {}), custom.get("train", {})
    return [
        f"{model.get('query_tower', {}).get('kind')} tower, {model.get('embedding_dim')} dimensions, "
        f"loss {train.get('loss', {}).get('kind')}, seed {train.get('seed')}",
        f"code {str(custom.get('code_sha256'))[:12]}",
    ]


def _baseline(execution: Execution) -> list[str]:
    model = execution.output("model")
    if model is not None and model.properties.get("skipped") == 1:
        return [f"no comparison: {model.properties.get('reason')}"]
    return ["compared with the latest blessed model"]


def _windows(execution: Execution) -> list[str]:
    examples = execution.output("examples")
    if examples is None:
        return []
    stats = json.loads(str(examples.properties["stats"]))
    rows = ", ".join(f"{split} {count:,}" for split, count in stats["rows"].items())
    return [f"targets: {rows}; {stats['candidates']:,} candidates"]


def _gate(execution: Execution) -> list[str]:
    report = execution.output("report")
    if report is None:
        return []
    warnings = json.loads(str(report.properties.get(WARNINGS_PROPERTY, "[]")))
    not_compared = json.loads(str(report.properties.get("not_compared", "{}")))
    return ["passed", *warnings, *(f"{table} not compared: {reason}" for table, reason in not_compared.items())]


def _ingestion(execution: Execution) -> list[str]:
    properties, examples = execution.properties, execution.output("examples")
    if "data_path" not in properties:
        return []
    path = inputs.full_path(str(properties["data_path"]), str(properties["data_root"]))
    facts = [path, f"sha256 {str(properties['content_sha256'])[:16]}"]
    if examples is None or "rows" not in examples.properties:
        return facts
    told = examples.properties
    dropped = [f"{told[f'dropped_{reason}']:,} dropped by {reason}" for reason in ("filter", "duplicate")]
    facts.append(", ".join([f"{told['rows']:,} rows", *(text for text in dropped if not text.startswith("0 "))]))
    if "first_span" in told:
        facts.append(f"spans {told['first_span']} to {told['last_span']}")
    return facts


def _schema(execution: Execution) -> list[str]:
    return [str(execution.properties.get("schema_file"))]


_TELLERS: dict[str, Callable[[Execution], list[str]]] = {
    journal.ROLLBACK: _rollback,
    journal.FORCED_PUSH: _forced_push,
    "Pusher": _pusher,
    "ServingCheck": _blessing,
    "Indexer": _indexer,
    "Evaluator": _blessing,
    "Baseline": _baseline,
    "Trainer": _trainer,
    "Windows": _windows,
    "DataGate": _gate,
    "InteractionsSchema": _schema,
    "CandidatesSchema": _schema,
    "QueriesSchema": _schema,
}
