"""Runs like those of a pipeline, with the small files that a report reads."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from benchmarks.lineage_store import ENDS, NODES, PUSHED, StoreWriter
from shortlist.summary import Seconds, Status, read_summary, write_summary
from shortlist.workspace import Workspace

EVIL = "</script><b>Alien & Co</b> {{x}} `y`"
_TOP = "factorized_top_k/top_{}_categorical_accuracy"


@dataclasses.dataclass(frozen=True)
class Shop:
    """A workspace with one run per outcome."""

    workspace: Workspace
    pushed: str
    """Id of the complete run, which has all files."""
    runs: dict[str, str]
    """Run ids by status."""


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    maker = StoreWriter(tmp_path_factory.mktemp("report") / "workspace", "shop")
    runs = {"pushed": maker.run(0, PUSHED, seed=1, data="a")}
    for number, (digit, ends) in enumerate(ENDS.items(), start=1):
        runs["killed" if ends.state == "RUNNING" else ends.status.value] = maker.run(number, ends, seed=digit, data="b")
    runs["cached"] = maker.run(len(ENDS) + 1, PUSHED, seed=1, data="a")
    _leave_files(maker.workspace)
    for run_id in (runs["pushed"], runs["cached"]):
        _complete(maker.workspace, run_id)
    _cache_all(maker.workspace, runs["cached"])
    return Shop(maker.workspace, runs["pushed"], runs)


def _leave_files(workspace: Workspace) -> None:
    log = [
        {"epoch": epoch, "step": 10 * epoch, "loss": 5 - epoch / 2, "learning_rate": 0.001, "seconds": 2.0 * epoch}
        | {"ndcg_at_10": ndcg, "top_10": 2 * ndcg}
        for epoch, ndcg in ((1, 0.05), (2, 0.11), (3, 0.1))
    ]
    _write(workspace, "Trainer/model/0/Format-Serving/assets.extra/shortlist.json", {"train": {"log": log}})
    _write(workspace, "DataGate/report/0/report.json", {"drift": {"interactions": {"job": 0.25}}})
    _write(workspace, "Answers/answers/0/answers.json", _answers())
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=100)
    for name, counts in (("query_id", {"ann": 60, "bob": 40}), ("job", {"clerk": 90, EVIL: 9})):
        feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
        feature.path.step.append(name)
        feature.string_stats.common_stats.num_non_missing = sum(counts.values())
        for label, count in counts.items():
            feature.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
            feature.string_stats.top_values.add(value=label, frequency=count)
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["job"].description = "Examples contain values missing from the schema"
    for place, proto in (
        ("InteractionsStatistics/statistics/0/Split-all/FeatureStats.pb", statistics),
        ("InteractionsValidator/anomalies/0/Split-all/SchemaDiff.pb", anomalies),
    ):
        path = workspace.pipeline_root / place
        path.parent.mkdir(parents=True)
        path.write_bytes(proto.SerializeToString())


def _write(workspace: Workspace, place: str, content: object) -> None:
    path = workspace.pipeline_root / place
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _answers() -> dict[str, object]:
    alien, dune = {"id": "a", "title": EVIL}, {"id": "d", "title": None}
    examples = [
        {"query": None, "history_length": 12, "history": [alien] * 10, "target": dune, "rank": 2, "popularity_rank": 9}
        | {"answers": [alien, dune], "scores": [2.5, 1.25]}
    ] * 5
    buckets = [
        {"bucket": bucket, "candidates": 1, "train": 20, "targets": 3, "answers": answers}
        for bucket, answers in (("head", 60), ("middle", 30), ("tail", 10), ("unseen in train", 0))
    ]
    return {
        **{"queries": 10, "width": 10, "places": 100, "corpus_size": 40, "broken": 1, "never": 7},
        **{"coverage_at_10": 0.825, "overlap_at_10": 0.1, "overlap_at_10_with_seen": 0.2, "popularity": buckets},
        "mean_train_count": {"answers": 30.5, "targets": 12.0},
        "concentration": {name: [place / 50 for place in range(51)] for name in ("answers", "train")},
        **{name: [alien | {"answers": 9, "train_count": 30}] for name in ("most", "least")},
        "examples": examples,
    }


def _complete(workspace: Workspace, run_id: str) -> None:
    """Adds all fields of today's version to a run's summary."""
    metrics = {
        **{_TOP.format(k): share for k, share in ((1, 0.05), (10, 0.2), (100, 0.7))},
        **{f"{_TOP.format(k)}_with_seen": share / 2 for k, share in ((1, 0.05), (10, 0.2), (100, 0.7))},
        **{"ndcg_at_10": 0.1, "example_count": 100.0},
    }
    slices: list[dict[str, dict[str, object]]] = [
        {"slice": {"gender": value}, "metrics": {_TOP.format(10): 0.2, "popularity/" + _TOP.format(10)[17:]: 0.1}}
        for value in ("F", "M")
    ]
    for entry, rows in zip(slices, (40.0, 60.0), strict=True):
        entry["metrics"]["example_count"] = rows
    summary = read_summary(workspace.run_dir(run_id) / "summary.json")
    content = summary.model_dump() | {
        "status": Status.PUSHED,
        "warnings": ["a warning"],
        "advice": ["some advice"],
        "protocol": {"split": "leave_last_out", "corpus_size": 40, "tied_targets": 0.44, "repeat_targets": 0.0}
        | {"unseen_queries": 0.0},
        "data": {"rows": {"train": 900, "eval": 100, "test": 100}, "queries": {"train": 10, "eval": 10, "test": 10}}
        | {"interactions": 1100, "candidates": 40, "dropped": {"unknown_candidate": 3}},
        "metrics": {"overall": metrics, "slices": slices},
        "baselines": {"popularity": {name: value / 2 for name, value in metrics.items()}, "latest_blessed": metrics},
        "blessing": {"blessed": True, "reasons": [f"top_10 0.2 is 2 times {EVIL}'s 0.1"]},
        "seconds": {"total": 100.0, "components": {"Trainer": 60.0, "Indexer": 20.0}},
        "node_peaks_mb": {"Trainer": 900.0, "Indexer": 1000.0},
        "training": {},
    }
    write_summary(type(summary).model_validate(content), workspace.run_dir(run_id))


def _cache_all(workspace: Workspace, run_id: str) -> None:
    """Makes the summary that of a run which found all results in the cache."""
    summary = read_summary(workspace.run_dir(run_id) / "summary.json")
    seconds = Seconds(total=0.9, components={"Trainer": 0.01, "Indexer": 0.01})
    peaks = dict.fromkeys(seconds.components, 700.0)
    cached = {"seconds": seconds, "node_peaks_mb": peaks, "cached": list(NODES)}
    write_summary(summary.model_copy(update=cached), workspace.run_dir(run_id))


@pytest.fixture(scope="session")
def page(shop) -> pathlib.Path:
    """The report of the complete run."""
    from shortlist.report.write import write_report

    return write_report(shop.workspace, shop.pushed)
