"""Four days in one workspace: each run tests on its own day, and compares with the model of the day before.

The last day is repeated with trainings by two processes and by two devices, since all that comes before them is in the
cache.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from cli.notification import notified
from cli.output import consoles
from components.trainer import workers
from pipeline.run import run_pipeline
from shortlist.config.load import parse_config
from shortlist.lineage.store import Store
from shortlist.records import nodes
from shortlist.records.artifacts import WindowsRecord
from shortlist.summary import Kind, Status, Summary
from shortlist.tables import preflight
from shortlist.verdicts import Gate
from shortlist.workspace import Workspace
from tests.pipeline.conftest import RecordingListener

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# So many that no target of a day was seen before by its user: two items a day, for eight days.
_USERS, _ITEMS = 20, 24
_FIRST, _LAST = 5, 8
"""Days of June 2024. The log begins on the first."""


class Day(NamedTuple):
    """The run of one day."""

    summary: Summary
    told: dict[str, Any]


def _write(path: pathlib.Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _write_tables(folder: pathlib.Path, today: int) -> None:
    """Writes the log up to today: each user takes two items a day, in the morning and in the evening."""
    folder.mkdir(exist_ok=True)
    log: list[list[object]] = [["query_id", "candidate_id", "timestamp"]]
    for day in range(1, today + 1):
        for user in range(_USERS):
            for hour, step in ((8, 0), (20, 1)):
                item = (user + 2 * day + step) % _ITEMS
                log.append([f"u{user}", f"i{item}", f"2024-06-{day:02d}T{hour:02d}:{user:02d}:00Z"])
    _write(folder / "log.csv", log)
    _write(folder / "items.csv", [["candidate_id", "kind"], *([f"i{item}", "ab"[item % 2]] for item in range(_ITEMS))])
    users = [[f"u{user}", 20 + user, ("de", "fr")[user % 2]] for user in range(_USERS)]
    _write(folder / "users.csv", [["query_id", "age", "country"], *users])


def _write_schemas(folder: pathlib.Path, of_queries: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    tables = {
        "interactions": {"query_id": "BYTES", "candidate_id": "BYTES", "timestamp": "INT"},
        "candidates": {"candidate_id": "BYTES", "kind": "BYTES"},
        "queries": {"query_id": "BYTES", **{name: _ARROW[kind] for name, kind in of_queries.items()}},
    }
    for table, features in tables.items():
        text = "".join(f'feature {{ name: "{name}" type: {kind} }}\n' for name, kind in features.items())
        (folder / f"{table}.pbtxt").write_text(text, encoding="utf-8")


_ARROW = {"numeric": "FLOAT", "category": "BYTES"}


def _raw(folder: pathlib.Path, of_queries: dict[str, str], train: dict[str, Any]) -> dict[str, Any]:
    ignored = {"action": "ignore"}
    return {
        "name": "daily",
        "workspace": str(folder / "workspace"),
        "data": {
            "schemas": str(folder / "schemas"),
            "interactions": {"path": "log.csv"},
            "candidates": {"path": "items.csv", "features": {"kind": "category"}},
            "queries": {"path": "users.csv", "features": of_queries},
            "split": {"kind": "temporal", "eval_spans": 1, "test_spans": 1},
        },
        "model": {"query_tower": {"kind": "history", "blocks": 1}, "embedding_dim": 8},
        "train": {"epochs": 1, "batch_size": 16, **train},
        # The models are of noise: their gates pass, and are compared nevertheless.
        "evaluate": {
            "ks": [1, 5],
            "gate_k": 5,
            "min_lift_over_popularity": 0.0,
            "max_drop_from_baseline": 1.0,
            "cold_start": {"unseen_candidates": ignored, "empty_history": ignored},
        },
        "report": {"examples": False},
        "notify": {"command": {"argv": ["/bin/sh", "-c", 'cat > "$0"', str(folder / "told.json")]}},
    }


def _run(folder: pathlib.Path, today: int, of_queries: dict[str, str], **train: Any) -> Day:
    _write_tables(folder / "data", today)
    _write_schemas(folder / "schemas", of_queries)
    config = parse_config(_raw(folder, of_queries, train), "daily.yaml")
    workspace, out = Workspace(folder / "workspace", config.name), io.StringIO()
    with notified(config, Kind.RUN, consoles.console(file=out)) as ended:
        report = preflight.check(config, folder / "data")
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        ended.folder = workspace.run_dir(run_id)
        summary = run_pipeline(config, workspace, run_id, folder / "data", RecordingListener(), report.timestamp_unit)
    assert out.getvalue() == ""
    return Day(summary, json.loads((folder / "told.json").read_text()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("daily")


@pytest.fixture(scope="module")
def days(folder: pathlib.Path) -> list[Day]:
    """Four days, and the last one once more: a feature of the queries is added on the third, another one dropped."""
    age, country = {"age": "numeric"}, {"country": "category"}
    features = [age, age, {**age, **country}, country]
    runs = [_run(folder, day, each) for day, each in zip(range(_FIRST, _LAST + 1), features, strict=True)]
    return [*runs, _run(folder, _LAST, country)]


def test_each_day_is_tested_on_itself(days: list[Day]):
    for today, day in zip(range(_FIRST, _LAST + 1), days, strict=False):
        protocol, data = day.summary.protocol, day.summary.data
        assert protocol is not None
        assert data is not None
        assert (protocol.eval_from, protocol.test_from, protocol.latest_time) == (
            f"2024-06-{today - 1:02d}T00:00:00Z",
            f"2024-06-{today:02d}T00:00:00Z",
            f"2024-06-{today:02d}T20:{_USERS - 1}:00Z",
        )
        assert data.rows == {"train": (today - 2) * 2 * _USERS, "eval": 2 * _USERS, "test": 2 * _USERS}


def test_the_rule_of_the_split_is_the_same_each_day(days: list[Day], folder: pathlib.Path):
    store = Store.of(Workspace(folder / "workspace", "daily"))
    records = []
    for day in days:
        [windows] = [each for each in store.run_executions(day.summary.run_id) if each.node == nodes.WINDOWS]
        records.append(WindowsRecord.of(windows.output("examples")))
    assert len({record.split_fingerprint for record in records if record}) == 1
    assert [record.cuts["test_from"] for record in records if record][:4] == [
        f"2024-06-{today:02d}T00:00:00Z" for today in range(_FIRST, _LAST + 1)
    ]


def _previous(day: Day) -> str:
    [gate] = [gate for gate in day.summary.gates if gate.gate is Gate.PREVIOUS_MODEL]
    return gate.sentence


def test_each_day_is_compared_with_the_day_before(days: list[Day]):
    first, second, added, dropped, _ = days
    assert _previous(first) == "none yet"
    for day in (second, added):
        assert day.summary.baselines is not None
        assert day.summary.baselines.latest_blessed is not None
        assert _previous(day).startswith("HR@5 ")
    assert "does not read" not in _previous(second)
    assert _previous(added).endswith("; it does not read country of queries")
    assert dropped.summary.baselines is not None
    assert dropped.summary.baselines.latest_blessed is None
    assert _previous(dropped) == (
        "not judged: its features differ: it reads age of queries, which today's rows do not have as it knows them"
    )


def test_each_run_is_told(days: list[Day]):
    assert [day.told["status"] for day in days] == ["pushed"] * 4 + ["unchanged"]
    versions = [day.told["version"] for day in days]
    assert versions == sorted(versions)
    assert versions[3] == versions[4]
    second = days[1].told
    assert second["metric"] == "HR@5"
    baselines = days[1].summary.baselines
    assert baselines is not None
    assert baselines.latest_blessed is not None
    assert second["previous"] == baselines.latest_blessed["factorized_top_k/top_5_categorical_accuracy"]
    assert pathlib.Path(second["report"]).name == "report.html"


def _record_trainings(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Returns the recipes of the trainings that processes of their own do from now on."""
    trainings: list[Any] = []
    train = workers.train

    def recorded(job: Any, *args: Any) -> None:
        trainings.append(job.recipe)
        train(job, *args)

    monkeypatch.setattr(workers, "train", recorded)
    return trainings


def test_a_run_by_two_processes_has_the_same_figures_and_pushes_its_refit(
    days: list[Day], folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    trainings = _record_trainings(monkeypatch)
    by_one = days[3].summary
    by_two = _run(folder, _LAST, {"country": "category"}, strategy="multi_worker", workers=2, refit=True).summary
    assert by_two.status is Status.PUSHED
    assert by_two.metrics is not None
    assert by_one.metrics is not None
    assert by_two.metrics.overall == pytest.approx(by_one.metrics.overall, abs=1e-4)
    assert by_two.refit is not None
    assert by_two.data is not None
    assert by_two.refit.targets == sum(by_two.data.rows.values())
    assert [recipe and recipe["best_step"] for recipe in trainings] == [None, by_two.refit.steps]
    assert by_two.pushed is not None
    assert by_one.pushed is not None
    assert by_two.pushed.version > by_one.pushed.version


def test_a_run_by_two_devices_has_the_same_figures_and_is_pushed(
    days: list[Day], folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(workers, "_COMMAND", (sys.executable, "-m", "tests.pipeline.mirrored_process"))
    trainings = _record_trainings(monkeypatch)
    by_one = days[3].summary
    by_two = _run(folder, _LAST, {"country": "category"}, strategy="mirrored").summary
    assert trainings == [None]
    assert by_two.status is Status.PUSHED
    assert by_two.metrics is not None
    assert by_one.metrics is not None
    assert by_two.metrics.overall == pytest.approx(by_one.metrics.overall, abs=1e-4)
