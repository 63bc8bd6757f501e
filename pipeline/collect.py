"""Builds a run's summary from the artifacts and executions of its nodes in ML Metadata."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from tfx.utils import path_utils

from components.answers.answers import FILE as ANSWERS_FILE
from components.evaluator import verdict
from pipeline import tuned
from pipeline.diagnosis import Figures, diagnose
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.lineage import measurements
from shortlist.lineage.executions import Artifact, Execution
from shortlist.lineage.served_model import ServedModel
from shortlist.lineage.store import Store
from shortlist.lineage.why import Outcome, Verdict, judge
from shortlist.model_files import TRAINED_FILE
from shortlist.records import artifacts, nodes, properties
from shortlist.records.artifacts import PushedModel, TableRecord, WindowsRecord
from shortlist.summary import (
    AnswersSummary,
    Baselines,
    Blessing,
    DataSummary,
    Fingerprints,
    IndexSummary,
    Kind,
    Metrics,
    Protocol,
    Pushed,
    RefitSummary,
    RefreshSummary,
    Seconds,
    Status,
    Summary,
    WarmStartSummary,
)
from shortlist.workspace import Workspace

# Fraction of test targets that had been seen before, above which people are warned.
_MANY_REPEATS = 0.1


def collect(
    config: Config,
    executions: dict[str, Execution],
    run_id: str,
    data_sha256: dict[str, str],
    seconds: dict[str, float],
    total_seconds: float,
    peak_rss_mb: float,
    node_peaks_mb: dict[str, float],
    reindexed: ServedModel | None = None,
    warm_start: WarmStartSummary | None = None,
) -> Summary:
    """Returns the summary of a run. Parts that the run did not reach are None or empty.

    Args:
      config: The run's config.
      executions: Node id to the node's execution in this run.
      run_id: The run's id.
      data_sha256: Table name to content fingerprint.
      seconds: Node id to wall-clock seconds.
      total_seconds: Wall-clock seconds of the whole run.
      peak_rss_mb: Peak resident memory of the whole run, in MiB.
      node_peaks_mb: Node id to the peak resident memory during the node, in MiB.
      reindexed: The served model before a reindex; None for a run of the whole pipeline.
      warm_start: How the training began; None without `train.warm_start`.
    """
    windows = WindowsRecord.of(output(executions, nodes.WINDOWS, "examples"))
    blessing = artifacts.Blessing.of(output(executions, nodes.EVALUATOR, "blessing"))
    evaluation = output(executions, nodes.EVALUATOR, "evaluation")
    metrics, baselines = _metrics(evaluation)
    judged = judge(run_id, list(executions.values()))
    status, reasons = _status(judged)
    protocol, answers = _protocol(config, windows), _answers(output(executions, nodes.ANSWERS, "answers"))
    data = _data(executions, windows)
    model = output(executions, nodes.TRAINER, "model")
    training, tuning = _training(model), tuned.tuning(output(executions, nodes.TUNER, "tuner_results"), model)
    trained = tuned.with_values(config, tuning.used) if tuning else config
    is_warm = warm_start is not None and not warm_start.reason
    if is_warm:
        trained = trained.model_copy(update={"train": trained.train.from_warm_start})
    return Summary(
        run_id=run_id,
        pipeline=config.name,
        kind=Kind.RUN if reindexed is None else Kind.REINDEX,
        status=status,
        reasons=reasons,
        gates=judged.gates,
        warnings=[
            *_warnings(output(executions, nodes.DATA_GATE, "report"), windows, blessing),
            *artifacts.sentences(output(executions, nodes.REFRESH, "blessing"), properties.WARNINGS),
            *_many_repeats(protocol),
        ],
        advice=diagnose(
            trained, Figures(data, protocol, metrics, baselines, training.get("log", []), answers, is_warm)
        ),
        protocol=protocol,
        data=data,
        metrics=metrics,
        baselines=baselines,
        blessing=Blessing(blessed=blessing.blessed, reasons=blessing.reasons) if blessing else None,
        refit=_refit(output(executions, nodes.REFIT, "model")),
        warm_start=warm_start,
        refresh=_refresh(output(executions, nodes.REFRESH, "model"), reindexed),
        answers=answers,
        index=_index(output(executions, nodes.INDEXER, "model")),
        pushed=_pushed(output(executions, nodes.PUSHER, "pushed_model")),
        tuning=tuning,
        training={name: value for name, value in training.items() if isinstance(value, int | float)},
        cached=[node for node, execution in executions.items() if execution.state == "CACHED"],
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
    """Returns a run's executions in ML Metadata, by node id."""
    if not workspace.has_metadata:
        return {}
    executions = Store.of(workspace).run_executions(run_id)
    return {execution.node: execution for execution in executions}


def output(executions: dict[str, Execution], node: str, key: str) -> Artifact | None:
    """Returns an output of a node; None if the node did not run or failed."""
    execution = executions.get(node)
    if execution is None or execution.state not in ("COMPLETE", "CACHED"):
        return None
    return execution.output(key)


def _protocol(config: Config, windows: WindowsRecord | None) -> Protocol | None:
    if windows is None:
        return None
    stats = windows.stats
    return Protocol(
        split=config.data.split.kind,
        exclude_seen=not config.evaluate.repeat_consumption,
        corpus_size=stats["candidates"],
        tied_targets=stats["tied_targets"],
        repeat_targets=stats["repeat_targets"],
        unseen_queries=stats["unseen_queries"],
        **windows.cuts,
    )


def _many_repeats(protocol: Protocol | None) -> list[str]:
    if protocol is None or not protocol.exclude_seen or protocol.repeat_targets <= _MANY_REPEATS:
        return []
    return [
        f"{protocol.repeat_targets:.0%} of the test targets had been seen before by their query: plain metrics and the "
        "gates leave these rows out, as answers leave out seen items; where people come back to the same items, set "
        "evaluate.repeat_consumption: true, otherwise data.interactions.repeats: first"
    ]


def _data(executions: dict[str, Execution], windows: WindowsRecord | None) -> DataSummary | None:
    if windows is None:
        return None
    stats = windows.stats
    tables = {name: TableRecord.of(output(executions, node, "examples")) for name, node in nodes.GENS.items()}
    dropped = {
        f"{reason}/{name}": table.dropped[reason]
        for reason in properties.DROPPED
        for name, table in tables.items()
        if table is not None
    }
    return DataSummary(
        rows=stats["rows"],
        queries=stats["queries"],
        interactions=stats["interactions"],
        candidates=stats["candidates"],
        dropped={reason: count for reason, count in dropped.items() if count} | stats["dropped"],
    )


def _warnings(
    gate_report: Artifact | None, windows: WindowsRecord | None, blessing: artifacts.Blessing | None
) -> list[str]:
    warnings = list(artifacts.sentences(gate_report, properties.WARNINGS))
    if windows is not None:
        warnings += windows.warnings
    if blessing is not None:
        warnings += blessing.warnings
    return warnings


def _metrics(evaluation: Artifact | None) -> tuple[Metrics | None, Baselines | None]:
    if evaluation is None:
        return None, None
    results = verdict.read_evaluation(evaluation.uri)
    overall: dict[str, float] = results["overall"]
    latest = results["baseline"]
    return (
        Metrics(overall=measurements.own(overall), slices=results["slices"]),
        Baselines(
            popularity=measurements.popularity(overall),
            latest_blessed=None if latest is None else measurements.own(latest),
        ),
    )


def _refit(model: Artifact | None) -> RefitSummary | None:
    recorded = artifacts.refit_of(model)
    if not recorded:
        return None
    return RefitSummary(**{name: recorded[name] for name in ("steps", "targets", "seconds")})


def _refresh(model: Artifact | None, reindexed: ServedModel | None) -> RefreshSummary | None:
    recorded = artifacts.refresh_of(model)
    if not recorded or reindexed is None:
        return None
    counts = {name: recorded[name] for name in ("candidates", "known", "new", "removed")}
    return RefreshSummary(model_of=reindexed.run_id, **counts)


def _answers(answers: Artifact | None) -> AnswersSummary | None:
    if answers is None:
        return None
    path = pathlib.Path(answers.uri) / ANSWERS_FILE
    # Artifacts can be deleted after the run.
    if not path.exists():
        return None
    raw = json.loads(path.read_text(encoding="utf-8"))
    counts = raw["mean_train_count"]
    shares = ("coverage_at_10", "overlap_at_10", "overlap_at_10_with_seen")
    return AnswersSummary(
        queries=raw["queries"],
        **{name: round(raw[name], 4) for name in shares},
        mean_train_count=round(counts["answers"], 2),
        mean_train_count_of_targets=round(counts["targets"], 2),
    )


def _index(model: Artifact | None) -> IndexSummary | None:
    recorded = artifacts.index_of(model)
    if not recorded:
        return None
    return IndexSummary(**{name: recorded[name] for name in IndexSummary.model_fields if name in recorded})


def _pushed(artifact: Artifact | None) -> Pushed | None:
    pushed = PushedModel.of(artifact)
    if pushed is None or pushed.version is None:
        return None
    return Pushed(version=pushed.version, path=pushed.destination)


def _training(model: Artifact | None) -> dict[str, Any]:
    if model is None:
        return {}
    path = pathlib.Path(path_utils.serving_model_path(model.uri)) / TRAINED_FILE
    train: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["train"]
    return train


def _status(judged: Verdict) -> tuple[Status, list[str]]:
    """Returns a run's status and the reasons of the first gate that refused the model.

    The status is `failed`, without reasons, if no gate was reached.
    """
    if judged.outcome not in (Outcome.PUSHED, Outcome.NOT_BLESSED, Outcome.INDEX_REJECTED, Outcome.CHECK_FAILED):
        return Status.FAILED, []
    return Status(judged.outcome.value), judged.reasons
