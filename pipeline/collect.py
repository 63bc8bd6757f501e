"""Builds a run's summary from what its nodes left in ML Metadata."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tfx.utils import path_utils

from components.answers.answers import FILE as ANSWERS_FILE
from components.evaluator import verdict
from components.table_example_gen.component import NODE_IDS
from pipeline import tuned
from pipeline.diagnosis import Figures, diagnose
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.findings import WARNINGS_PROPERTY
from shortlist.lineage import measured
from shortlist.lineage.store import Artifact, Execution, Store
from shortlist.model_files import TRAINED_FILE
from shortlist.summary import (
    Answers,
    Baselines,
    Blessing,
    DataSummary,
    Fingerprints,
    IndexSummary,
    Metrics,
    Protocol,
    Pushed,
    Refit,
    Seconds,
    Status,
    Summary,
)
from shortlist.workspace import Workspace


def collect(
    config: Config,
    nodes: dict[str, Execution],
    run_id: str,
    data_sha256: dict[str, str],
    seconds: dict[str, float],
    total_seconds: float,
    peak_rss_mb: float,
    node_peaks_mb: dict[str, float],
) -> Summary:
    """Returns the summary of a run, as far as it got.

    Args:
      config: The run's config.
      nodes: Node id to what ML Metadata knows of it in this run.
      run_id: Names the run.
      data_sha256: Table name to content fingerprint.
      seconds: Node id to wall-clock seconds.
      total_seconds: Wall-clock seconds of the whole run.
      peak_rss_mb: Peak resident memory.
      node_peaks_mb: Node id to the peak while it ran.
    """
    windows = _output(nodes, "Windows", "examples")
    judged = _output(nodes, "Evaluator", "blessing")
    blessing = _blessing(judged)
    evaluation = _output(nodes, "Evaluator", "evaluation")
    metrics, baselines = _metrics(evaluation) if evaluation else (None, None)
    pushed = _pushed(_output(nodes, "Pusher", "pushed_model"))
    status, reasons = _status(nodes, blessing, pushed)
    protocol, answers = _protocol(config, windows), _answers(_output(nodes, "Answers", "answers"))
    data = _data(nodes, windows)
    model = _output(nodes, "Trainer", "model")
    training, tuning = _training(model), tuned.tuning(_output(nodes, "Tuner", "tuner_results"), model)
    trained = tuned.with_values(config, tuning.used) if tuning else config
    return Summary(
        run_id=run_id,
        pipeline=config.name,
        status=status,
        reasons=reasons,
        warnings=_warnings(_output(nodes, "DataGate", "report")) + _warnings(windows) + _warnings(judged),
        advice=diagnose(trained, Figures(data, protocol, metrics, baselines, training.get("log", []), answers)),
        protocol=protocol,
        data=data,
        metrics=metrics,
        baselines=baselines,
        blessing=blessing,
        refit=_refit(_output(nodes, "Refit", "model")),
        answers=answers,
        index=_index(_output(nodes, "Indexer", "model")),
        pushed=pushed,
        tuning=tuning,
        training={name: value for name, value in training.items() if isinstance(value, int | float)},
        cached=[node for node, execution in nodes.items() if execution.state == "CACHED"],
        seconds=Seconds(total=round(total_seconds, 3), components=seconds),
        peak_rss_mb=peak_rss_mb,
        node_peaks_mb=node_peaks_mb,
        fingerprints=Fingerprints(
            data=data_sha256,
            config=fingerprints.config_sha256(config),
            code=fingerprints.code_sha256("pipeline.create_pipeline"),
        ),
    )


def nodes_of(workspace: Workspace, run_id: str) -> dict[str, Execution]:
    """Returns what ML Metadata knows of a run's nodes, by node id."""
    if not workspace.has_metadata:
        return {}
    executions = Store.of(workspace).run_executions(run_id)
    return {execution.node: execution for execution in executions}


def _output(nodes: dict[str, Execution], node: str, key: str) -> Artifact | None:
    execution = nodes.get(node)
    if execution is None or execution.state not in ("COMPLETE", "CACHED"):
        return None
    return execution.output(key)


def _stats(windows: Artifact) -> dict[str, Any]:
    return json.loads(str(windows.properties["stats"]))


def _protocol(config: Config, windows: Artifact | None) -> Protocol | None:
    if windows is None:
        return None
    stats = _stats(windows)
    return Protocol(
        split=config.data.split.kind,
        corpus_size=stats["candidates"],
        tied_targets=stats["tied_targets"],
        repeat_targets=stats["repeat_targets"],
        unseen_queries=stats["unseen_queries"],
    )


def _data(nodes: dict[str, Execution], windows: Artifact | None) -> DataSummary | None:
    if windows is None:
        return None
    stats = _stats(windows)
    dropped = {
        f"{reason}/{table}": int(examples.properties[f"dropped_{reason}"])
        for reason in ("filter", "duplicate")
        for table, node in NODE_IDS.items()
        if (examples := _output(nodes, node, "examples"))
    }
    return DataSummary(
        rows=stats["rows"],
        queries=stats["queries"],
        interactions=stats["interactions"],
        candidates=stats["candidates"],
        dropped={reason: count for reason, count in dropped.items() if count} | stats["dropped"],
    )


def _metrics(evaluation: Artifact) -> tuple[Metrics, Baselines]:
    read = verdict.read_evaluation(evaluation.uri)
    overall: dict[str, float] = read["overall"]
    latest = None if read["baseline"] is None else measured.own(read["baseline"])
    return (
        Metrics(overall=measured.own(overall), slices=read["slices"]),
        Baselines(popularity=measured.popularity(overall), latest_blessed=latest),
    )


def _reasons(artifact: Artifact | None) -> list[str]:
    return json.loads(str(artifact.properties.get("reasons", "[]"))) if artifact else []


def _warnings(artifact: Artifact | None) -> list[str]:
    return json.loads(str(artifact.properties.get(WARNINGS_PROPERTY, "[]"))) if artifact else []


def _blessing(artifact: Artifact | None) -> Blessing | None:
    if artifact is None:
        return None
    return Blessing(blessed=artifact.properties.get("blessed") == 1, reasons=_reasons(artifact))


def _refit(model: Artifact | None) -> Refit | None:
    if model is None or "refit" not in model.properties:
        return None
    raw = json.loads(str(model.properties["refit"]))
    return Refit(steps=raw["steps"], targets=raw["targets"], seconds=raw["seconds"])


def _answers(told: Artifact | None) -> Answers | None:
    path = None if told is None else pathlib.Path(told.uri) / ANSWERS_FILE
    if path is None or not path.exists():
        return None
    raw = json.loads(path.read_text(encoding="utf-8"))
    counts = raw["mean_train_count"]
    shares = ("coverage_at_10", "overlap_at_10", "overlap_at_10_with_seen")
    return Answers(
        queries=raw["queries"],
        **{name: round(raw[name], 4) for name in shares},
        mean_train_count=round(counts["answers"], 2),
        mean_train_count_of_targets=round(counts["targets"], 2),
    )


def _index(model: Artifact | None) -> IndexSummary | None:
    if model is None or "index" not in model.properties:
        return None
    raw = json.loads(str(model.properties["index"]))
    return IndexSummary(**{name: raw[name] for name in IndexSummary.model_fields if name in raw})


def _pushed(artifact: Artifact | None) -> Pushed | None:
    if artifact is None or artifact.properties.get("pushed") != 1:
        return None
    return Pushed(
        version=int(artifact.properties["pushed_version"]), path=str(artifact.properties["pushed_destination"])
    )


def _training(model: Artifact | None) -> dict[str, Any]:
    if model is None:
        return {}
    path = pathlib.Path(path_utils.serving_model_path(model.uri)) / TRAINED_FILE
    train: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["train"]
    return train


def _status(nodes: dict[str, Execution], blessing: Blessing | None, pushed: Pushed | None) -> tuple[Status, list[str]]:
    """The first gate that said no, and why."""
    if pushed is not None:
        return Status.PUSHED, []
    if blessing is not None and not blessing.blessed:
        return Status.NOT_BLESSED, blessing.reasons
    index_blessing = _output(nodes, "Indexer", "blessing")
    if index_blessing is not None and index_blessing.properties.get("blessed") != 1:
        return Status.INDEX_REJECTED, _reasons(index_blessing)
    check = _output(nodes, "ServingCheck", "blessing")
    if check is not None and check.properties.get("blessed") != 1:
        return Status.CHECK_FAILED, _reasons(check)
    return Status.FAILED, []
