"""Unusual but valid data, from the files to the served recommendations."""

import csv
import datetime
import gzip
import json
import random

import pytest

from shortlist.config.load import parse_config
from shortlist.infer import Hints, guess_config
from shortlist.infer.write import write_guess
from shortlist.serving.client import Recommender
from shortlist.summary import Status
from shortlist.tables import preflight
from shortlist.workspace import Workspace
from tests.pipeline.conftest import RecordingListener

pytestmark = pytest.mark.e2e

# Ids as in real data; a spreadsheet reads the last one as a formula.
ODD = ["007", "7", "Köln №1", "🦊🦊", " spaced ", 'quo"te', "a,b", "null", "=1+1"]


def _run(raw, data_root, tmp_path):
    """Runs a config as the command does: preflight first, its unit handed on."""
    from pipeline.run import run_pipeline

    config = parse_config(raw, "odd.yaml")
    report = preflight.check(config, data_root)
    workspace = Workspace(tmp_path / "workspace", config.name)
    with workspace.reserve("run"):
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        summary = run_pipeline(config, workspace, run_id, data_root, RecordingListener(), report.timestamp_unit)
    return report, summary


def _small(raw):
    """Adds settings that train in seconds, and gates that a model of noise passes."""
    return raw | {
        "model": {"query_tower": {"kind": "history", "blocks": 1}, "embedding_dim": 8},
        "train": {"epochs": 2, "eval_every_epochs": 1, "batch_size": 16},
        "evaluate": {"min_lift_over_popularity": 0.0, "ks": [1, 10], "gate_k": 10},
    }


def _write_schemas(folder, **tables):
    folder.mkdir()
    for table, features in tables.items():
        text = "".join(f'feature {{ name: "{name}" type: {kind} }}\n' for name, kind in features.items())
        (folder / f"{table}.pbtxt").write_text(text, encoding="utf-8")


def test_dated_json_lines_with_weights_a_filter_and_ids_that_no_one_would_choose(tmp_path):
    chance = random.Random(3)
    candidates = [*ODD, *(f"plain {index}" for index in range(8))]
    data = tmp_path / "data"
    start = 1_700_000_000_000
    for day in range(3):
        folder = data / "log" / f"2023-11-{15 + day}"
        folder.mkdir(parents=True)
        with gzip.open(folder / "part.jsonl.gz", "wt", encoding="utf-8") as file:
            for index in range(300):
                event = ("view", "cart", "purchase")[index % 3]
                row = {"who": f"ü{index % 20}", "what": chance.choice(candidates), "event": event}
                row |= {"at": start + day * 86_400_000 + 250 * index, "robot": index % 50 == 0}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with (data / "items.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([["id", "kind"], *([one, "odd" if one in ODD else ""] for one in candidates)])
    _write_schemas(
        tmp_path / "schemas",
        interactions={"query_id": "BYTES", "candidate_id": "BYTES", "timestamp": "INT"},
        candidates={"candidate_id": "BYTES", "kind": "BYTES"},
    )
    raw = {
        "name": "odd",
        "workspace": str(tmp_path / "workspace"),
        "data": {
            "schemas": str(tmp_path / "schemas"),
            "interactions": {
                "path": "log/{YYYY}-{MM}-{DD}",
                "last_spans": 2,
                "query_id": "who",
                "candidate_id": "what",
                "timestamp": "at",
                "filter": 'robot == "false"',
                "weight": {"column": "event", "values": {"view": 0, "cart": 3, "purchase": 10}},
            },
            "candidates": {"path": "items.csv", "candidate_id": "id", "features": {"kind": "category"}},
        },
    }
    report, summary = _run(_small(raw), data, tmp_path)

    assert report.timestamp_unit == "milliseconds"
    assert summary.status is Status.PUSHED
    assert summary.data.candidates == 17
    assert summary.data.interactions == 2 * (300 - 6)
    assert sum(number for name, number in summary.data.dropped.items() if "filter" in name) == 12
    # Views are history and never a target; every other row is.
    assert sum(summary.data.rows.values()) == 2 * (200 - 4)
    answer = Recommender(summary.pushed.path).recommend(history=ODD[:3], k=17)
    assert {found.id for found in answer} == set(candidates) - set(ODD[:3])


def test_two_candidates_are_enough(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    rows = "".join(f"u{user},{'ab'[(user + step) % 2]},{step}\n" for user in range(12) for step in range(4))
    (data / "log.csv").write_text("user_id,item_id,seq\n" + rows, encoding="utf-8")
    guessed = guess_config("log.csv", None, None, data, Hints())
    write_guess(guessed, "two", tmp_path / "two.yaml", tmp_path / "schemas", force=False)
    raw = {
        "name": "two",
        "workspace": str(tmp_path / "workspace"),
        "data": {
            "schemas": str(tmp_path / "schemas"),
            "interactions": dict(guessed.tables["interactions"].section) | {"repeats": "all"},
            "candidates": dict(guessed.tables["candidates"].section),
        },
    }
    # Every query has seen both, so that only a ranking that includes seen candidates has targets.
    raw = _small(raw)
    raw["evaluate"]["repeat_consumption"] = True
    report, summary = _run(raw, data, tmp_path)

    assert report.timestamp_unit == "order"
    assert summary.status is Status.PUSHED
    assert summary.index.kind == "brute_force"
    assert [
        found.id for found in Recommender(summary.pushed.path).recommend(history=["a"], k=2, exclude_seen=True)
    ] == ["b"]
