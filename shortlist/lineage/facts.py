"""Facts about executions as sentences, from ML Metadata.

Data that an older version did not record is left out.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shortlist.config import paths, renamed
from shortlist.lineage.store import Artifact, Execution, output_of
from shortlist.metrics import names
from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import BaselineRecord, Blessing, Evaluation, PushedModel, TableRecord, WindowsRecord

YES_OR_NO = {True: "yes", False: "no"}
_VERDICTS = {True: "blessed", False: "not blessed"}
_SHA_LENGTH = 12
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")


def facts(execution: Execution) -> list[str]:
    """Returns the facts about an execution that lineage shows; none for an unknown node."""
    sentences = _describer(execution.node)(execution)
    code = code_sha256(execution)
    if code and not nodes.is_resolver(execution.node):
        sentences.append(f"code {code[:_SHA_LENGTH]}")
    return sentences


def end(execution: Execution, at_work: bool) -> str:
    """Returns the end of an execution as text, or "running".

    Args:
      execution: The execution.
      at_work: Whether a command is writing to the workspace now. If not, an unfinished execution was killed.
    """
    if execution.unfinished:
        return "running" if at_work else "killed: its process died, and nothing was run since"
    if properties.KILLED in execution.properties:
        return f"killed: {execution.properties[properties.KILLED]}"
    return {"COMPLETE": "done", "CACHED": "from the cache"}.get(execution.state, execution.state.lower())


def code_sha256(execution: Execution) -> str:
    """Returns the fingerprint of a node's source code; empty for TFX's own nodes."""
    own = execution.properties.get(properties.CODE_SHA256)
    return str(own or _custom(execution).get(properties.CODE_SHA256) or "")


def content_sha256(execution: Execution) -> str:
    """Returns the fingerprint of a table's input files."""
    return str(
        execution.properties.get(properties.CONTENT_SHA256) or _custom(execution).get(properties.CONTENT_SHA256) or ""
    )


def test_rows(executions: Mapping[str, Execution]) -> str | None:
    """Returns a fingerprint of a run's test rows and their corpus; None if it is unknown.

    It joins the fingerprints of split, interactions and candidates. The split's fingerprint alone does not contain the
    log, so that a model can be compared with last week's.

    Args:
      executions: The run's executions by node.
    """
    record = WindowsRecord.of(output_of(executions.get(nodes.WINDOWS), "examples"))
    split = record.split_fingerprint if record else None
    tables = (nodes.INTERACTIONS_GEN, nodes.CANDIDATES_GEN)
    contents = [content_sha256(executions[name]) for name in tables if name in executions]
    if not split or len(contents) < 2 or not all(contents):
        return None
    return "/".join([split, *contents])


def schema_sha256(execution: Execution) -> str:
    """Returns the start of a schema file's fingerprint, which is the name of its folder."""
    return pathlib.PurePath(str(execution.properties.get("schema_file", ""))).parent.name


def hyperparameters(execution: Execution) -> dict[str, Any]:
    """Returns a Trainer's config sections `model` and `train`, with the values from a Tuner."""
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
    """Returns the index of an Indexer or a forced push with its measurements; empty if there is none."""
    return artifacts.index_of(execution.output("model"))


def stats(execution: Execution) -> dict[str, Any]:
    """Returns the counts of a Windows node."""
    record = WindowsRecord.of(execution.output("examples"))
    return record.stats if record else {}


def _set(settings: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        settings = settings.setdefault(parent, {})
    settings[last] = value


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by dotted name; an empty section stays an empty dict."""
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
    return ["pushed by force", *reasons, *_index_sentences(execution), _by(execution)]


def _by(execution: Execution) -> str:
    author = f"by {execution.properties.get(properties.BY)}"
    reason = execution.properties.get(properties.REASON)
    return f"{author}: {reason}" if reason else author


def _blessing(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return []
    verdict = _VERDICTS[blessing.blessed]
    return [f"{verdict}: {reason}" for reason in blessing.reasons] or [verdict]


def _evaluator(execution: Execution) -> list[str]:
    evaluation, blessing = Evaluation.of(execution.output("evaluation")), Blessing.of(execution.output("blessing"))
    sentences = [*_metrics(evaluation), *_blessing(execution)]
    if blessing is not None:
        sentences += blessing.warnings
    return sentences


def _metrics(evaluation: Evaluation | None) -> Iterator[str]:
    if evaluation is None:
        return
    metrics = evaluation.metrics
    by_k = {int(match[1]): name for name in metrics if (match := _TOP_K.fullmatch(name))}
    hit_rates = [
        f"top_{k} {metrics[name]:.4f} (most popular {metrics.get(_as_popular(name), 0):.4f})"
        for k, name in sorted(by_k.items())
    ]
    if hit_rates:
        yield f"{names.counted_rows(metrics):,.0f} test rows, seen items excluded: {', '.join(hit_rates)}"


def _as_popular(name: str) -> str:
    return name.replace("factorized_top_k/", "popularity/")


def _serving_check(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return []
    numbers = {name: value for name, value in flat(blessing.figures).items() if isinstance(value, int | float)}
    figures = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return [sentence for sentence in (*_blessing(execution), figures) if sentence]


def _indexer(execution: Execution) -> list[str]:
    blessing = Blessing.of(execution.output("blessing"))
    sentences = _index_sentences(execution)
    if blessing is not None and not blessing.blessed:
        sentences += _blessing(execution)
    return sentences


def _index_sentences(execution: Execution) -> list[str]:
    found = index(execution)
    if not found:
        return []
    recall = f"{found.get('kind')}, recall@{found.get('k')} {found.get('recall_at_k', 0):.4f}"
    if "test_queries" in found:
        recall += f" on {found['test_queries']:,} test queries"
    sentences = [f"{recall}, p50 {found.get('p50_ms', 0):.2f} ms, p99 {found.get('p99_ms', 0):.2f} ms"]
    if found.get("params"):
        sentences.append(_listed(found["params"]))
    if found.get("reason"):
        sentences.append(f"because {found['reason']}")
    return sentences


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
    found.append(_beginning(execution.output("model")))
    return [sentence for sentence in found if sentence]


def _beginning(model: Artifact | None) -> str:
    start = artifacts.warm_start_of(model)
    if not start:
        return ""
    if start["reason"]:
        return f"from scratch, since {start['reason']}"
    return (
        f"from the weights of model {start.get('model_id', 'of an earlier run')}; {start['new_candidates']:,} of "
        f"{start['new_candidates'] + start['known_candidates']:,} candidates were new to it"
    )


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
    notes = [record.features_changed] if record is not None and record.features_changed else []
    if record is not None and record.catalogue_changed:
        return [f"compared with the latest blessed model in this catalogue: {record.catalogue_changed}", *notes]
    return ["compared with the latest blessed model", *notes]


def _refit(execution: Execution) -> list[str]:
    refit = artifacts.refit_of(execution.output("model"))
    if not refit:
        return _blessing(execution)
    return [
        f"trained on all {refit['targets']:,} interactions, eval and test included, for {refit['steps']:,} steps, "
        "the best number for the measured model",
        f"its metrics are those of model {refit['metrics_of']}, which was trained on train alone and measured by the "
        "Evaluator",
    ]


def _refresh(execution: Execution) -> list[str]:
    refresh = artifacts.refresh_of(execution.output("model"))
    if not refresh:
        return _blessing(execution)
    return [
        f"{refresh['candidates']:,} candidates embedded by the towers of model {refresh['refresh_of']}: "
        f"{refresh['known']:,} known to it, {refresh['new']:,} new and embedded by their features, "
        f"{refresh['removed']:,} of its own gone",
        "nothing was trained; its metrics are those of the earlier model in the earlier catalogue",
    ]


def _windows(execution: Execution) -> list[str]:
    found, counts, config = [], stats(execution), artifacts.json_object(execution.properties.get(properties.CONFIG))
    if counts:
        rows = ", ".join(f"{split} {count:,}" for split, count in counts.get("rows", {}).items())
        record = WindowsRecord.of(execution.output("examples"))
        if record and record.cuts:
            found.append(_listed({name.replace("_", " "): time for name, time in record.cuts.items()}))
        found.append(f"targets: {rows}; {counts.get('candidates', 0):,} candidates")
        dropped = ", ".join(f"{count:,} {name}" for name, count in counts.get("dropped", {}).items() if count)
        found.append(f"{counts.get('interactions', 0):,} interactions; dropped: {dropped or 'none'}")
    if config:
        split = config.get("split") or {}
        named = {name: value for name, value in split.items() if name != "kind" and value is not None}
        found.append(_listed({"split": split.get("kind"), **named}))
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
    found = [path for path in [_data_path(execution)] if path]
    if sha256:
        found.append(f"sha256 {sha256[:16]}")
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
    # Version 0.1 used TFX's own ExampleGen.
    splits = artifacts.json_object(found.get("input_config")).get("splits") or [{}]
    pattern = splits[0].get("pattern")
    if not pattern:
        return ""
    return f"{found.get('input_base')}/{pattern}"


def _custom(execution: Execution) -> dict[str, Any]:
    """Returns a node's custom config; TFX's own ExampleGen, which version 0.1 used, wraps it twice."""
    config = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG))
    wrapped = config.get("custom_config")
    found = wrapped.get("value", config) if isinstance(wrapped, dict) else config
    return found if isinstance(found, dict) else {}


def _schema(execution: Execution) -> list[str]:
    path = execution.properties.get("schema_file")
    if path is None:
        return []
    return [str(path)]


def _statistics(execution: Execution) -> list[str]:
    return _uri(execution, "statistics")


def _validator(execution: Execution) -> list[str]:
    return _uri(execution, "anomalies")


def _uri(execution: Execution, key: str) -> list[str]:
    artifact = execution.output(key)
    if artifact is None:
        return []
    damaged = artifact.properties.get(properties.DAMAGED)
    if damaged:
        return [f"{artifact.uri} (damaged: {damaged})"]
    return [f"{artifact.uri} (deleted)" if artifact.deleted else artifact.uri]


def _transform(execution: Execution) -> list[str]:
    features = artifacts.json_object(execution.properties.get(properties.CUSTOM_CONFIG)).get("features") or {}
    types = ", ".join(f"{name} {spec.get('type')}" for name, spec in features.items() if isinstance(spec, dict))
    return [types or "ids alone"]


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in flat(settings).items())


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return YES_OR_NO[value]
    return "none" if value in ([], {}, None) else str(value)


def _no_facts(execution: Execution) -> list[str]:
    return []


_DESCRIBERS: dict[str, Callable[[Execution], list[str]]] = {
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
    nodes.REFRESH: _refresh,
    nodes.WINDOWS: _windows,
    nodes.REFIT_WINDOWS: _windows,
    nodes.DATA_GATE: _gate,
    nodes.TRANSFORM: _transform,
    nodes.CANDIDATE_TRANSFORM: _transform,
    nodes.REFIT_TRANSFORM: _transform,
}
# The nodes of a table have its name in their id, for example `InteractionsGen`.
_DESCRIBERS_BY_SUFFIX: dict[str, Callable[[Execution], list[str]]] = {
    "Gen": _ingestion,
    "Schema": _schema,
    "Statistics": _statistics,
    "Validator": _validator,
}


def _describer(node: str) -> Callable[[Execution], list[str]]:
    if node in _DESCRIBERS:
        return _DESCRIBERS[node]
    matches = (describer for suffix, describer in _DESCRIBERS_BY_SUFFIX.items() if node.endswith(suffix))
    return next(matches, _no_facts)
