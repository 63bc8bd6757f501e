"""What a node says of itself in ML Metadata, in sentences; whatever an older version did not write is left out."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shortlist.config import paths, renamed
from shortlist.lineage.store import Execution
from shortlist.metrics import names
from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import BaselineRecord, Blessing, Evaluation, PushedModel, TableRecord, WindowsRecord

_SHA_SHOWN = 12
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")


def facts(execution: Execution) -> list[str]:
    """Returns what a reader wants to know of a node; nothing of an unknown one."""
    told = _teller(execution.node)(execution)
    code = code_sha256(execution)
    return [*told, f"code {code[:_SHA_SHOWN]}"] if code and not nodes.is_resolver(execution.node) else told


def end(execution: Execution, at_work: bool) -> str:
    """Returns how an execution ended, or that it has not.

    Args:
      execution: Any.
      at_work: Whether a command writes to the workspace now: what looks unfinished was killed otherwise.
    """
    if execution.unfinished:
        return "running" if at_work else "killed: its process died, and nothing was run since"
    if properties.KILLED in execution.properties:
        return f"killed: {execution.properties[properties.KILLED]}"
    return {"COMPLETE": "done", "CACHED": "from the cache"}.get(execution.state, execution.state.lower())


def code_sha256(execution: Execution) -> str:
    """Returns the fingerprint of the source that a node ran; nothing for TFX's own nodes."""
    own = execution.properties.get(properties.CODE_SHA256)
    return str(own or _custom(execution).get(properties.CODE_SHA256) or "")


def content_sha256(execution: Execution) -> str:
    """Returns the fingerprint of the files that a table was read from."""
    return str(
        execution.properties.get(properties.CONTENT_SHA256) or _custom(execution).get(properties.CONTENT_SHA256) or ""
    )


def test_rows(executions: Mapping[str, Execution]) -> str | None:
    """Returns what decides a run's test rows and what they are ranked among: equal ones, equal rows.

    A split's fingerprint leaves the log out, so that a model is compared with last week's; two runs' figures are
    of the same rows only where the log and the catalogue are the same, too.

    Args:
      executions: The run's, by node; None is returned where they made no windows.
    """
    windows = executions.get(nodes.WINDOWS)
    record = WindowsRecord.of(windows.output("examples")) if windows else None
    split = record.split_fingerprint if record else None
    tables = (nodes.INTERACTIONS_GEN, nodes.CANDIDATES_GEN)
    contents = [content_sha256(executions[name]) for name in tables if name in executions]
    if not split or len(contents) < 2 or not all(contents):
        return None
    return "/".join([split, *contents])


def schema_sha256(execution: Execution) -> str:
    """Returns the start of a schema file's fingerprint, by which its folder is named."""
    return pathlib.PurePath(str(execution.properties.get("schema_file", ""))).parent.name


def hyperparameters(execution: Execution) -> dict[str, Any]:
    """Returns the model and train sections that a Trainer went by, with the values that a Tuner found for it."""
    custom = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG))
    found = {section: custom[section] for section in ("model", "train") if isinstance(custom.get(section), dict)}
    tower = found.get("model", {}).get("query_tower")
    if isinstance(tower, dict):
        found["model"]["query_tower"] = renamed.rename_recorded("model.query_tower", tower)
    for best in execution.inputs.get("hyperparameters", []):
        for name, value in artifacts.tuned_values_of(best).items():
            _set(found, renamed.RENAMED.get(name, name).split("."), value)
    return found


def index(execution: Execution) -> dict[str, Any]:
    """Returns what an Indexer or a forced push built and measured; nothing where it built none."""
    return artifacts.index_of(execution.output("model"))


def stats(execution: Execution) -> dict[str, Any]:
    """Returns what a Windows node counted."""
    record = WindowsRecord.of(execution.output("examples"))
    return record.stats if record else {}


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
    pushed = PushedModel.of(execution.output("pushed_model"))
    if pushed is None:
        return []
    if not pushed.pushed:
        return [f"not pushed: {reason}" for reason in pushed.reasons] or ["not pushed"]
    return [f"version {pushed.version} to {pushed.destination}"]


def _rollback(execution: Execution) -> list[str]:
    found = execution.properties
    restored, replaced = found.get(properties.RESTORED_VERSION), found.get(properties.REPLACED_VERSION)
    return [f"rolled back to version {restored} from {replaced}", _by(execution)]


def _forced_push(execution: Execution) -> list[str]:
    overridden = artifacts.json_object(execution.properties.get(properties.OVERRIDDEN))
    reasons = [f"overrides {node}: {reason}" for node, reasons in overridden.items() for reason in reasons]
    return ["pushed by force", *reasons, *_told_index(execution), _by(execution)]


def _by(execution: Execution) -> str:
    reason = execution.properties.get(properties.REASON)
    return f"by {execution.properties.get(properties.BY)}" + (f": {reason}" if reason else "")


def _blessing(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return []
    word = "blessed" if blessing.blessed else "not blessed"
    return [f"{word}: {reason}" for reason in blessing.reasons] or [word]


def _evaluator(execution: Execution) -> list[str]:
    evaluation, blessing = Evaluation.of(execution.output("evaluation")), Blessing.of(execution.output("blessing"))
    metrics = evaluation.metrics if evaluation else {}
    by_k = {int(found[1]): name for name in metrics if (found := _TOP_K.fullmatch(name))}
    told = [
        f"top_{k} {metrics[name]:.4f} (most popular {metrics.get(_as_popular(name), 0):.4f})"
        for k, name in sorted(by_k.items())
    ]
    rows = f"{names.counted_rows(metrics):,.0f} test rows, seen items excluded: "
    warnings = blessing.warnings if blessing else []
    return [*([rows + ", ".join(told)] if told else []), *_blessing(execution), *warnings]


def _as_popular(name: str) -> str:
    return name.replace("factorized_top_k/", "popularity/")


def _serving_check(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    figures = blessing.figures if blessing else {}
    told = ", ".join(f"{name} {value:.4g}" for name, value in flat(figures).items() if isinstance(value, int | float))
    return [*_blessing(execution), *([told] if told else [])]


def _indexer(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    return _told_index(execution) + ([] if blessing and blessing.blessed else _blessing(execution))


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
    found = best.properties
    score = f"{found.get(properties.OBJECTIVE)} {found.get(properties.SCORE)}"
    return [
        f"trial {found.get(properties.TRIAL)} of {found.get(properties.TRIALS)} was best: {score} on eval",
        _listed(artifacts.tuned_values_of(best)),
    ]


def _baseline(execution: Execution) -> list[str]:
    record = BaselineRecord.of(execution.output("model"))
    if record is not None and record.skipped:
        return [f"no comparison: {record.reason}"]
    changed = record.catalogue_changed if record else ""
    return [f"compared with the latest blessed model{f' in this catalogue: {changed}' if changed else ''}"]


def _refit(execution: Execution) -> list[str]:
    told = artifacts.refit_of(execution.output("model"))
    if not told:
        return _blessing(execution)
    return [
        f"trained on all {told['targets']:,} interactions, eval and test included, for {told['steps']:,} steps, "
        "as many as were best for the measured model",
        f"its metrics are those of model {told['metrics_of']}, which was trained on train alone and measured by the "
        "Evaluator",
    ]


def _windows(execution: Execution) -> list[str]:
    found, told, config = [], stats(execution), artifacts.json_object(execution.properties.get(properties.CONFIG))
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
    not_compared = artifacts.json_object(report.properties.get(properties.NOT_COMPARED))
    return [
        "passed",
        *artifacts.sentences(report, properties.WARNINGS),
        *(f"{table} not compared: {reason}" for table, reason in not_compared.items()),
    ]


def _ingestion(execution: Execution) -> list[str]:
    table, sha256 = TableRecord.of(execution.output("examples")), content_sha256(execution)
    found = [path for path in [_data_path(execution)] if path] + ([f"sha256 {sha256[:16]}"] if sha256 else [])
    if properties.DATA_PATH not in execution.properties or table is None or table.rows is None:
        return found
    dropped = [f"{count:,} dropped by {reason}" for reason, count in table.dropped.items() if count]
    found.append(", ".join([f"{table.rows:,} rows", *dropped]))
    if table.spans:
        found.append(f"spans {table.spans[0]} to {table.spans[1]}")
    return found


def _data_path(execution: Execution) -> str:
    found = execution.properties
    if properties.DATA_PATH in found:
        return paths.full_path(str(found[properties.DATA_PATH]), str(found.get(properties.DATA_ROOT, "")))
    # 0.1 had TFX's own ExampleGen.
    splits = artifacts.json_object(found.get("input_config")).get("splits") or [{}]
    pattern = splits[0].get("pattern")
    return f"{found.get('input_base')}/{pattern}" if pattern else ""


def _custom(execution: Execution) -> dict[str, Any]:
    """Returns a node's custom config; TFX's own ExampleGen, which 0.1 had, wraps it twice."""
    config = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG))
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
    features = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG)).get("features") or {}
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
    nodes.ROLLBACK: _rollback,
    nodes.FORCED_PUSH: _forced_push,
    nodes.PUSHER: _pusher,
    nodes.SERVING_CHECK: _serving_check,
    nodes.INDEXER: _indexer,
    nodes.EVALUATOR: _evaluator,
    nodes.BASELINE: _baseline,
    nodes.TUNER: _tuner,
    nodes.TRAINER: _trainer,
    nodes.REFIT: _refit,
    nodes.WINDOWS: _windows,
    nodes.REFIT_WINDOWS: _windows,
    nodes.DATA_GATE: _gate,
    nodes.TRANSFORM: _transform,
    nodes.CANDIDATE_TRANSFORM: _transform,
    nodes.REFIT_TRANSFORM: _transform,
}
_TELLERS_BY_END: dict[str, Callable[[Execution], list[str]]] = {
    "Gen": _ingestion,
    "Schema": _schema,
    "Statistics": _statistics,
    "Validator": _validator,
}


def _teller(node: str) -> Callable[[Execution], list[str]]:
    if node in _TELLERS:
        return _TELLERS[node]
    return next((teller for ending, teller in _TELLERS_BY_END.items() if node.endswith(ending)), _nothing)
