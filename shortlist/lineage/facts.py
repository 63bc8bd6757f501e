"""What a node says of itself in ML Metadata, in sentences; whatever an older version did not write is left out."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shortlist.config import paths
from shortlist.findings import WARNINGS_PROPERTY
from shortlist.lineage import journal
from shortlist.lineage.store import KILLED, Artifact, Execution
from shortlist.model_files import TUNED_VALUES

_SHA_SHOWN = 12
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")


def facts(execution: Execution) -> list[str]:
    """Returns what a reader wants to know of a node; nothing of an unknown one."""
    told = _teller(execution.node)(execution)
    code = code_sha256(execution)
    return [*told, f"code {code[:_SHA_SHOWN]}"] if code and execution.node not in _ASKING else told


def end(execution: Execution, at_work: bool) -> str:
    """Returns how an execution ended, or that it has not.

    Args:
      execution: Any.
      at_work: Whether a command writes to the workspace now: what looks unfinished was killed otherwise.
    """
    if execution.unfinished:
        return "running" if at_work else "killed: its process died, and nothing was run since"
    if KILLED in execution.properties:
        return f"killed: {execution.properties[KILLED]}"
    return {"COMPLETE": "done", "CACHED": "from the cache"}.get(execution.state, execution.state.lower())


def parsed(value: object) -> dict[str, Any]:
    """Returns the object that a property holds as JSON; an empty one where it holds none."""
    try:
        found = json.loads(str(value))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def sentences(artifact: Artifact | None, name: str = "reasons") -> list[str]:
    """Returns a property that is a JSON list of sentences."""
    try:
        found = json.loads(str(artifact.properties.get(name, "[]"))) if artifact else []
    except ValueError:
        return []
    return [str(sentence) for sentence in found]


def is_blessed(artifact: Artifact | None) -> bool | None:
    """Returns what a blessing says; None if there is none."""
    return None if artifact is None else artifact.properties.get("blessed") == 1


def code_sha256(execution: Execution) -> str:
    """Returns the fingerprint of the source that a node ran; nothing for TFX's own nodes."""
    own = execution.properties.get("code_sha256")
    return str(own or _custom(execution).get("code_sha256") or "")


def content_sha256(execution: Execution) -> str:
    """Returns the fingerprint of the files that a table was read from."""
    return str(execution.properties.get("content_sha256") or _custom(execution).get("content_sha256") or "")


def test_rows(nodes: Mapping[str, Execution]) -> str | None:
    """Returns what decides a run's test rows and what they are ranked among: equal ones, equal rows.

    A split's fingerprint leaves the log out, so that a model is compared with last week's; two runs' figures are
    of the same rows only where the log and the catalogue are the same, too.

    Args:
      nodes: The run's, by name; None is returned where they made no windows.
    """
    windows = nodes.get("Windows")
    examples = windows.output("examples") if windows else None
    split = examples.properties.get("split_fingerprint") if examples else None
    contents = [content_sha256(nodes[name]) for name in ("InteractionsGen", "CandidatesGen") if name in nodes]
    if not split or len(contents) < 2 or not all(contents):
        return None
    return "/".join([str(split), *contents])


def schema_sha256(execution: Execution) -> str:
    """Returns the start of a schema file's fingerprint, by which its folder is named."""
    return pathlib.PurePath(str(execution.properties.get("schema_file", ""))).parent.name


def hyperparameters(execution: Execution) -> dict[str, Any]:
    """Returns the model and train sections that a Trainer went by, with the values that a Tuner found for it."""
    custom = parsed(execution.properties.get("custom_config"))
    found = {section: custom[section] for section in ("model", "train") if isinstance(custom.get(section), dict)}
    for best in execution.inputs.get("hyperparameters", []):
        for name, value in parsed(best.properties.get(TUNED_VALUES)).items():
            _set(found, name.split("."), value)
    return found


def index(execution: Execution) -> dict[str, Any]:
    """Returns what an Indexer or a forced push built and measured; nothing where it built none."""
    model = execution.output("model")
    return parsed(model.properties.get("index")) if model else {}


def stats(execution: Execution) -> dict[str, Any]:
    """Returns what a Windows node counted."""
    examples = execution.output("examples")
    return parsed(examples.properties.get("stats")) if examples else {}


def _set(settings: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        settings = settings.setdefault(parent, {})
    settings[last] = value


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by dotted name; a section that is empty stays one."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping) and item:
            found |= flat(item, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = item
    return found


def _pusher(execution: Execution) -> list[str]:
    pushed = execution.output("pushed_model")
    if pushed is None:
        return []
    if pushed.properties.get("pushed") != 1:
        return [f"not pushed: {reason}" for reason in sentences(pushed)] or ["not pushed"]
    return [f"version {pushed.properties['pushed_version']} to {pushed.properties['pushed_destination']}"]


def _rollback(execution: Execution) -> list[str]:
    told = execution.properties
    return [
        f"rolled back to version {told.get('restored_version')} from {told.get('replaced_version')}",
        _by(execution),
    ]


def _forced_push(execution: Execution) -> list[str]:
    overridden = parsed(execution.properties.get("overridden"))
    reasons = [f"overrides {node}: {reason}" for node, reasons in overridden.items() for reason in reasons]
    return ["pushed by force", *reasons, *_told_index(execution), _by(execution)]


def _by(execution: Execution) -> str:
    reason = execution.properties.get("reason")
    return f"by {execution.properties.get('by')}" + (f": {reason}" if reason else "")


def _blessing(execution: Execution) -> list[str]:
    verdict = execution.output("blessing")
    if verdict is None:
        return []
    word = "blessed" if is_blessed(verdict) else "not blessed"
    return [f"{word}: {reason}" for reason in sentences(verdict)] or [word]


def _evaluator(execution: Execution) -> list[str]:
    evaluation = execution.output("evaluation")
    metrics = parsed(evaluation.properties.get("metrics")) if evaluation else {}
    by_k = {int(found[1]): name for name in metrics if (found := _TOP_K.fullmatch(name))}
    told = [
        f"top_{k} {metrics[name]:.4f} (most popular {metrics.get(_as_popular(name), 0):.4f})"
        for k, name in sorted(by_k.items())
    ]
    rows = f"{metrics.get('example_count', 0):,.0f} test rows, seen items excluded: "
    warnings = sentences(execution.output("blessing"), WARNINGS_PROPERTY)
    return [*([rows + ", ".join(told)] if told else []), *_blessing(execution), *warnings]


def _as_popular(name: str) -> str:
    return name.replace("factorized_top_k/", "popularity/")


def _serving_check(execution: Execution) -> list[str]:
    verdict = execution.output("blessing")
    figures = parsed(verdict.properties.get("figures")) if verdict else {}
    told = ", ".join(f"{name} {value:.4g}" for name, value in flat(figures).items() if isinstance(value, int | float))
    return [*_blessing(execution), *([told] if told else [])]


def _indexer(execution: Execution) -> list[str]:
    return _told_index(execution) + ([] if is_blessed(execution.output("blessing")) else _blessing(execution))


def _told_index(execution: Execution) -> list[str]:
    told = index(execution)
    if not told:
        return []
    queries = f" on {told['test_queries']:,} test queries" if "test_queries" in told else ""
    found = [
        f"{told.get('kind')}, recall@{told.get('k')} {told.get('recall_at_k', 0):.4f}{queries}, "
        f"p50 {told.get('p50_ms', 0):.2f} ms, p99 {told.get('p99_ms', 0):.2f} ms"
    ]
    if told.get("params"):
        found.append(_listed(told["params"]))
    return found + ([f"because {told['reason']}"] if told.get("reason") else [])


def _trainer(execution: Execution) -> list[str]:
    settings = hyperparameters(execution)
    if not settings:
        return []
    model, train = settings.get("model", {}), settings.get("train", {})
    tower, loss = model.get("query_tower") or {}, train.get("loss") or {}
    found = [
        f"{tower.get('kind')} tower, {model.get('embedding_dim')} dimensions, loss {loss.get('kind')}, "
        f"seed {train.get('seed')}"
    ]
    named = {"kind", "seed", "loss", "embedding_dim", "query_tower"}
    for section in (tower, model, loss, train):
        found.append(_listed({name: value for name, value in section.items() if name not in named}))
    return [sentence for sentence in found if sentence]


def _tuner(execution: Execution) -> list[str]:
    best = execution.output("best_hyperparameters")
    if best is None:
        return []
    told = best.properties
    score = f"{told.get('objective')} {told.get('score')}"
    return [
        f"trial {told.get('trial')} of {told.get('trials')} was best: {score} on eval",
        _listed(parsed(told.get(TUNED_VALUES))),
    ]


def _baseline(execution: Execution) -> list[str]:
    model = execution.output("model")
    if model is not None and model.properties.get("skipped") == 1:
        return [f"no comparison: {model.properties.get('reason')}"]
    changed = model.properties.get("catalogue_changed") if model is not None else None
    return [f"compared with the latest blessed model{f' in this catalogue: {changed}' if changed else ''}"]


def _refit(execution: Execution) -> list[str]:
    model = execution.output("model")
    told = parsed(model.properties.get("refit")) if model else {}
    if not told:
        return _blessing(execution)
    return [
        f"trained on all {told['targets']:,} interactions, eval and test included, for {told['steps']:,} steps, "
        "as many as were best for the measured model",
        f"its metrics are those of model {told['metrics_of']}, which was trained on train alone and measured by the "
        "Evaluator",
    ]


def _windows(execution: Execution) -> list[str]:
    found, told, config = [], stats(execution), parsed(execution.properties.get("config"))
    if told:
        rows = ", ".join(f"{split} {count:,}" for split, count in told.get("rows", {}).items())
        found.append(f"targets: {rows}; {told.get('candidates', 0):,} candidates")
        found.append(
            f"{told.get('interactions', 0):,} interactions; dropped: "
            + (", ".join(f"{count:,} {name}" for name, count in told.get("dropped", {}).items() if count) or "none")
        )
    if config:
        split = config.get("split") or {}
        found.append(_listed({"split": split.get("kind"), **{k: v for k, v in split.items() if k != "kind"}}))
        found.append(_listed(config.get("windows") or {}))
    return [sentence for sentence in found if sentence]


def _gate(execution: Execution) -> list[str]:
    report = execution.output("report")
    if report is None:
        return []
    not_compared = parsed(report.properties.get("not_compared"))
    return [
        "passed",
        *sentences(report, WARNINGS_PROPERTY),
        *(f"{table} not compared: {reason}" for table, reason in not_compared.items()),
    ]


def _ingestion(execution: Execution) -> list[str]:
    properties, examples = execution.properties, execution.output("examples")
    sha256 = content_sha256(execution)
    found = [path for path in [_data_path(execution)] if path] + ([f"sha256 {sha256[:16]}"] if sha256 else [])
    if "data_path" not in properties or examples is None or "rows" not in examples.properties:
        return found
    told = examples.properties
    dropped = [f"{told.get(f'dropped_{reason}', 0):,} dropped by {reason}" for reason in ("filter", "duplicate")]
    found.append(", ".join([f"{told['rows']:,} rows", *(text for text in dropped if not text.startswith("0 "))]))
    if "first_span" in told:
        found.append(f"spans {told['first_span']} to {told['last_span']}")
    return found


def _data_path(execution: Execution) -> str:
    properties = execution.properties
    if "data_path" in properties:
        return paths.full_path(str(properties["data_path"]), str(properties.get("data_root", "")))
    # 0.1 had TFX's own ExampleGen.
    splits = parsed(properties.get("input_config")).get("splits") or [{}]
    pattern = splits[0].get("pattern")
    return f"{properties.get('input_base')}/{pattern}" if pattern else ""


def _custom(execution: Execution) -> dict[str, Any]:
    """Returns a node's custom config; TFX's own ExampleGen, which 0.1 had, wraps it twice."""
    config = parsed(execution.properties.get("custom_config"))
    wrapped = config.get("custom_config")
    found = wrapped.get("value", config) if isinstance(wrapped, dict) else config
    return found if isinstance(found, dict) else {}


def _schema(execution: Execution) -> list[str]:
    return [str(execution.properties["schema_file"])] if "schema_file" in execution.properties else []


def _statistics(execution: Execution) -> list[str]:
    artifact = execution.output("statistics")
    return [artifact.uri + (" (deleted)" if artifact.deleted else "")] if artifact else []


def _validator(execution: Execution) -> list[str]:
    anomalies = execution.output("anomalies")
    return [anomalies.uri + (" (deleted)" if anomalies.deleted else "")] if anomalies else []


def _transform(execution: Execution) -> list[str]:
    features = parsed(execution.properties.get("custom_config")).get("features") or {}
    told = ", ".join(f"{name} {spec.get('type')}" for name, spec in features.items() if isinstance(spec, dict))
    return [told or "ids alone"]


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in flat(settings).items())


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in ([], {}, None) else str(value)


def _nothing(execution: Execution) -> list[str]:
    return []


_TELLERS: dict[str, Callable[[Execution], list[str]]] = {
    journal.ROLLBACK: _rollback,
    journal.FORCED_PUSH: _forced_push,
    "Pusher": _pusher,
    "ServingCheck": _serving_check,
    "Indexer": _indexer,
    "Evaluator": _evaluator,
    "Baseline": _baseline,
    "Tuner": _tuner,
    "Trainer": _trainer,
    "Refit": _refit,
    "Windows": _windows,
    "RefitWindows": _windows,
    "DataGate": _gate,
    "Transform": _transform,
    "CandidateTransform": _transform,
    "RefitTransform": _transform,
}
_TELLERS_BY_END: dict[str, Callable[[Execution], list[str]]] = {
    "Gen": _ingestion,
    "Schema": _schema,
    "Statistics": _statistics,
    "Validator": _validator,
}
# They only ask what others made.
_ASKING = {"BlessedModel", "BlessedStatistics"}


def _teller(node: str) -> Callable[[Execution], list[str]]:
    if node in _TELLERS:
        return _TELLERS[node]
    return next((teller for ending, teller in _TELLERS_BY_END.items() if node.endswith(ending)), _nothing)
