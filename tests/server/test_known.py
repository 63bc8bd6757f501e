"""Known queries: histories and features from tables, from windows, and beside the pipeline's own `recommend`."""

from __future__ import annotations

import datetime
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import known_queries
from components import shards
from components.windows import records, windowing
from server import histories, parquet_tables
from server.documents import Documents
from server.known import Event, Known, WithFeatures
from server.windows import WindowHistories
from shortlist import splits
from shortlist.api.log import ModelLog
from shortlist.api.model import Model
from shortlist.config.features import Feature
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.load import parse_config
from shortlist.config.serve import Serve
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, WindowsSection
from shortlist.errors import BadInputError
from shortlist.serving import client as serving
from tests.components.indexer import stand_in
from tests.server import running

LATER = 10**12
DAY = 86_400
START = 1_700_000_000
# user-2 repeats item-7; item-gone is not in the catalogue.
LOG = [
    ("user-1", "item-3", START),
    ("user-1", "item-4", START + DAY),
    ("user-2", "item-7", START),
    ("user-2", "item-8", START + 60),
    ("user-2", "item-7", START + 2 * DAY),
    ("user-2", "item-9", START + 3 * DAY),
    ("user-3", "item-gone", START),
]
QUERIES = "user,age,gender,tags,joined\nuser-1,30,F,a|b,2020-01-01\nuser-2,,M,,2021-01-01\nuser-4,70,F,a,\nuser-5,,,,\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    root = tmp_path_factory.mktemp("known")
    ids = stand_in.candidate_ids(running.SIZE)
    (root / "log.csv").write_text("user,item,time\n" + "".join(f"{','.join(map(str, row))}\n" for row in LOG))
    (root / "items.csv").write_text("id,name\n" + "".join(f"{item},Title of {item}\n" for item in ids))
    (root / "users.csv").write_text(QUERIES)
    raw = {
        "name": "shop",
        "workspace": str(root / "workspace"),
        "data": {
            "schemas": str(root),
            "max_interactions_per_query": 3,
            "interactions": {
                "path": "log.csv",
                "query_id": "user",
                "candidate_id": "item",
                "timestamp": "time",
                "repeats": "first",
            },
            "candidates": {"path": "items.csv", "candidate_id": "id", "title": "name", "features": {"name": "text"}},
            "queries": {"path": "users.csv", "query_id": "user", "features": stand_in.FEATURES},
        },
    }
    return root, parse_config(raw, "shop.yaml")


@pytest.fixture(scope="module")
def served(config, model_folder):
    """The pipeline's own model, and a server that reads the same tables."""
    root, checked = config
    serving_dir = root / "workspace" / "serving" / "shop"
    serving_dir.mkdir(parents=True)
    version = running.push(model_folder, serving_dir, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_DATA_DIR", str(root))
        known = known_queries.of_config(checked, Serve())
    with running.running(serving_dir, Serve(), known=known) as server:
        yield Model(serving.Recommender(version), ModelLog(checked.data, root)), server.client()
    known.close()


# user-4 is in the queries table alone, user-5 without a value, user-9 nowhere.
@pytest.mark.parametrize("query", ["user-1", "user-2", "user-3", "user-4", "user-5", "user-9"])
@pytest.mark.parametrize("days", [0, 2.5, 4])
def test_a_known_query_is_answered_as_by_the_pipeline(served, query, days):
    model, client = served
    at = START + int(days * DAY)
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    expected = model.recommend(query=query, at=moment, k=8)
    answer = client.recommend(query=query, at=at, k=8)
    assert [item["id"] for item in answer["items"]] == expected.ids
    assert [item["score"] for item in answer["items"]] == pytest.approx([row.score for row in expected], rel=1e-5)
    assert [item["near"] for item in answer["items"]] == [row.near for row in expected]


def test_features_of_a_request_count_before_those_that_are_known(served):
    model, client = served

    def scores(query, **context):
        return [item["score"] for item in client.recommend(query=query, at=START, context=context)["items"]]

    at = datetime.datetime.fromtimestamp(START, datetime.timezone.utc)
    expected = model.recommend(query="user-1", at=at, features={"age": 80})
    assert scores("user-1", age=80) == pytest.approx([row.score for row in expected], rel=1e-5)
    assert scores("user-1") != scores("user-1", age=80)
    # One that is known without the feature takes the request's.
    assert scores("user-9", age=80) != scores("user-9")


def test_features_of_another_model_are_left_out(model_folder, tmp_path):
    (tmp_path / "shop").mkdir()
    running.push(model_folder, tmp_path / "shop", 1)
    columns = {"query_id": ["user-1"], "country": ["fr"], "age": [80.0], "joined": [datetime.datetime(2020, 1, 1)]}
    pq.write_table(pa.table(columns), tmp_path / "users.parquet")
    settings = Serve(queries=str(tmp_path / "users.parquet"))
    known = histories.of_settings(settings, tmp_path / "shop")
    assert known.find("user-1", LATER).features == {"country": "fr", "age": 80.0, "joined": 1_577_836_800}
    with running.running(tmp_path / "shop", settings, known=known) as server:
        client = server.client()
        found = client.recommend(query="user-1", at=9)
        given = client.recommend(query="user-1", at=9, context={"age": 80, "joined": 1_577_836_800})
        assert found["items"] == given["items"]
        assert client.get("/v1/queries/user-1")[1]["history"] == []
    known.close()


# --- windows ---


def interaction(row, item, time, rating=None):
    return splits.Interaction(time, 0, b"log.csv", row, item.encode(), features=() if rating is None else (rating,))


def write_windows(root, split, queries, features=b"", of_rows=None):
    """Writes windows as the node Windows does, in one file per split."""
    found = {"train": [], "eval": [], "test": []}
    for query, rows in sorted(queries.items()):
        for name, windows in windowing.windows_of(rows, split, WindowsSection(max_history=3)).items():
            found[name] += [records.encode(query.encode(), window, features, {"age": 3}, of_rows) for window in windows]
    for name, encoded in found.items():
        shards.write(encoded, str(root / f"Split-{name}" / "windows-00000-of-00001.gz"), str(root / "staging"))
    return root


def query_row(age):
    from tensorflow.train import Example, Feature, Features, FloatList

    return Example(features=Features(feature={"age": Feature(float_list=FloatList(value=[age]))})).SerializeToString()


QUERIES_OF_LOG = {
    # Five interactions; the windows' histories have the latest three.
    "a": [interaction(row, f"i{row}", 10 * row) for row in range(1, 6)],
    # Two interactions are train only.
    "b": [interaction(1, "i1", 1), interaction(2, "i2", 2)],
}


@pytest.mark.parametrize("memory_mb", [1, 0.0001])
def test_the_newest_window_of_a_query_is_its_history(tmp_path, memory_mb):
    write_windows(tmp_path, LeaveLastOut(kind="leave_last_out"), QUERIES_OF_LOG, query_row(30.0))
    found = WindowHistories(tmp_path, memory_mb)
    try:
        # The test window: its history is i2, i3 and i4, its target i5; i1 is no longer in the window, but seen.
        known = found.find("a", LATER)
        assert [(event.id, event.time) for event in known.events] == [("i2", 20), ("i3", 30), ("i4", 40), ("i5", 50)]
        assert (known.seen, known.features) == (("i1",), {"age": [30.0]})
        # As of an earlier time, nobody knows when i1 was seen.
        assert found.find("a", 40) == Known([Event("i2", 20), Event("i3", 30)], {"age": [30.0]}, ())
        assert [event.id for event in found.find("b", LATER).events] == ["i1", "i2"]
        assert found.find("c", LATER) is None
        assert found._documents.is_in_memory == (memory_mb == 1)
    finally:
        found.close()


def test_a_basket_is_whole(tmp_path):
    rows = [interaction(row, item, time) for row, (item, time) in enumerate([("x", 1), ("y", 2), ("z", 3), ("w", 3)])]
    write_windows(tmp_path, LeaveLastBasket(kind="leave_last_basket"), {"a": rows})
    known = WindowHistories(tmp_path, 1).find("a", LATER)
    assert sorted((event.id, event.time) for event in known.events) == [("w", 3), ("x", 1), ("y", 2), ("z", 3)]
    assert known.seen == ()


def test_each_row_of_a_basket_keeps_its_own_features(tmp_path):
    ratings = {"x": 1.0, "y": 2.0, "z": 3.0, "v": 4.0, "w": 5.0}
    times = [1, 2, 3, 3, 3]
    rows = [interaction(row, item, times[row], rating) for row, (item, rating) in enumerate(ratings.items())]
    rating = {"rating": Feature(type="numeric")}
    # Test targets have the feature if metrics are split by it.
    of_rows = InteractionFeatures(history=rating, slices=rating)
    # A single basket is train only: one window with three targets.
    log = {"a": rows, "b": rows[2:]}
    write_windows(tmp_path, LeaveLastBasket(kind="leave_last_basket"), log, of_rows=of_rows)
    found = WindowHistories(tmp_path, 1)
    of_query = {
        query: {event.id: event.features["rating"] for event in found.find(query, LATER).events} for query in log
    }
    assert of_query == {"a": ratings, "b": {"z": 3.0, "v": 4.0, "w": 5.0}}


def test_settings_may_name_windows(tmp_path, model_folder):
    write_windows(tmp_path / "windows", LeaveLastOut(kind="leave_last_out"), QUERIES_OF_LOG)
    known = histories.of_settings(Serve(histories=str(tmp_path / "windows")), model_folder)
    assert isinstance(known, WindowHistories)
    (tmp_path / "windows" / "Split-test" / "windows-00000-of-00001.gz").write_bytes(b"no windows")
    with pytest.raises(BadInputError, match=r"Split-test.*: expected windows of a run, got"):
        WindowHistories(tmp_path / "windows", 1)
    content = (tmp_path / "windows" / "Split-train" / "windows-00000-of-00001.gz").read_bytes()
    (tmp_path / "windows" / "Split-train" / "windows-00000-of-00001.gz").write_bytes(content[:-20])
    with pytest.raises(BadInputError, match=r"Split-train.*: expected windows of a run, got"):
        WindowHistories(tmp_path / "windows", 1)


# --- tables ---


def test_a_table_may_have_features_of_interactions_and_fractions_of_a_second(tmp_path):
    path = tmp_path / "log.parquet"
    moments = [datetime.datetime(2026, 1, 1, 0, 0, 0, micros) for micros in (900, 100)]
    table = {
        "query_id": ["a", "a"],
        "candidate_id": ["x", "y"],
        "timestamp": moments,
        "rating": [4.0, None],
        "note": ["n", "m"],
    }
    pq.write_table(pa.table(table), path)
    for memory_mb in (1, 0):
        known = histories.read(path, memory_mb, ["rating", "hour"])
        assert known.find("a", LATER).events == [Event("y", 1_767_225_600), Event("x", 1_767_225_600, {"rating": 4.0})]
        known.close()


@pytest.mark.parametrize("memory_mb", [1, 0])
def test_of_several_contents_the_greatest_rank_stays(memory_mb):
    found = Documents(memory_mb)
    for query, rank, content in [("a", 2, b"x"), ("a", 1, b"y"), ("b", 1, b"z"), ("b", 1, b"w"), ("a", 3, b"v")]:
        found.add(query, rank, content)
        if memory_mb == 0:
            found.flush()
    found.flush()
    assert (found.find("a"), found.find("b"), found.find("c")) == (b"v", b"w", None)
    found.close()


def test_rows_of_one_query_are_told_apart_by_their_order():
    rows = [("a", {"age": 1}), ("a", {"age": 2, "town": None})]
    assert WithFeatures(None, rows, 1).find("a", 0) == Known([], {"age": 2})
    assert WithFeatures(None, rows, 1, keeps_first=True).find("a", 0) == Known([], {"age": 1})
    assert WithFeatures(histories.MemoryHistories([("b", "x", 1, 0, b"")]), rows, 1).find("b", 9) == Known(
        [Event("x", 1)]
    )


def test_a_table_of_queries_needs_their_ids(tmp_path):
    pq.write_table(pa.table({"age": [1]}), tmp_path / "users.parquet")
    with pytest.raises(BadInputError, match="expected the columns \\['query_id'\\]"):
        list(parquet_tables.read_features(tmp_path / "users.parquet"))


def test_without_a_small_log_the_windows_of_the_pushed_run_are_read(tmp_path, monkeypatch):
    from shortlist.config.load import load_config
    from tests.compatibility.restored import restore

    restore(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(tmp_path))
    config = load_config("circle.yaml")
    of_log = known_queries.of_config(config, Serve()).find("u0", LATER)
    assert of_log.events
    os.truncate(tmp_path / "interactions.csv", 0)
    with open(tmp_path / "interactions.csv", "r+b") as file:
        file.truncate(65 * 2**20)
    found = known_queries.of_config(config, Serve())
    assert isinstance(found._histories, WindowHistories)
    assert [(event.id, event.time) for event in found.find("u0", LATER).events] == [
        (event.id, event.time) for event in of_log.events
    ]
    summary = json.loads((tmp_path / "workspace" / "runs" / "latest" / "summary.json").read_text())
    assert summary["pushed"]
