"""What `recommend` reads of a query, compared with the windows that the pipeline's own code makes of the same files."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from tensorflow_metadata.proto.v0 import schema_pb2

from components.indexer.inputs import parse_examples
from components.table_example_gen import beam as table_beam
from components.windows import beam as windows_beam
from components.windows import checks, from_config
from shortlist import keys
from shortlist.config.data import Data
from shortlist.config.interaction_features import InteractionFeatures
from shortlist.config.load import parse_config
from shortlist.serving.input_tensors import signature_inputs
from shortlist.tables import lookup
from shortlist.tables.input_table import InputTable
from tests.components.windows import flat

# Dated files, of which the first is too old. Ties in time within and between files, parts of a second, repeats, rows
# without weight before and after the purchase, a row that the filter drops, and candidates that are not for sale.
_LOG = {
    "2026-01-01": [("u", "toy, story", "buy", "2026-01-01 00:00:00", 1)],
    "2026-01-02": [
        ("u", "a", "view", "2026-01-02 10:00:00.750", 1),
        ("u", "b", "buy", "2026-01-02 10:00:00.250", 1),
        ("u", "toy, story", "view", "2026-01-02 10:00:00.250", 1),
        ("v", "a", "buy", "2026-01-02 10:00:00", 1),
        ("u", "gone", "buy", "2026-01-02 11:00:00", 1),
        ("u", "unsold", "buy", "2026-01-02 11:00:00", 1),
        ("u", "b", "buy", "2026-01-02 12:00:00", 0),
        ("é 1", 'the "c"', "buy", "2026-01-02 12:00:00", 1),
        ("late", "a", "buy", "2026-01-02 09:00:00", 1),
    ],
    "2026-01-03": [
        ("u", "b", "buy", "2026-01-03 10:00:00", 1),
        ("u", "a", "buy", "2026-01-03 10:00:00", 1),
        ("u", "a", "view", "2026-01-03 10:00:01", 1),
        ("é 1", "b", "buy", "2026-01-02 12:00:00", 1),
        ("é 1", "b", "buy", "2026-01-02 12:00:00", 1),
        ("v", "b", "view", "2026-01-03 10:00:00", 1),
        ("v", "toy, story", "buy", "2026-01-03 10:00:00", 1),
        ("v", "b", "buy", "2026-01-03 10:00:05", 1),
        ("v", "a", "buy", "2026-01-03 10:00:09", 1),
    ],
}
_ITEMS = [
    ("a", "first a", 1),
    ("toy, story", "Toy", 1),
    ("b", "", 1),
    ('the "c"', "C", 1),
    ("a", "last a", 1),
    ("a", "unsold a", 0),
    ("unsold", "U", 0),
]
_USERS = [
    ("u", "31.1", "x|y", "Oslo", "2020-02-02"),
    ("é 1", "", "", "", ""),
    ("u", "32.2", "z", "", "2021-01-01"),
    ("nobody", "1", "x", "Rome", "2020-02-02"),
]

_TYPES = {"age": schema_pb2.FLOAT, "tags": schema_pb2.BYTES, "town": schema_pb2.BYTES, "joined": schema_pb2.INT}
_SPECS = {
    "age": tf.TensorSpec([None], tf.float32),
    "tags": tf.TensorSpec([None, None], tf.string),
    "town": tf.TensorSpec([None], tf.string),
    "joined": tf.TensorSpec([None], tf.int64),
    keys.QUERY_ID: tf.TensorSpec([None], tf.string),
    keys.HISTORY_IDS: tf.TensorSpec([None, None], tf.string),
    keys.HISTORY_TIMES: tf.TensorSpec([None, None], tf.int64),
    "history_kind": tf.TensorSpec([None, None], tf.string),
    keys.QUERY_TIME: tf.TensorSpec([None], tf.int64),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    for day, rows in _LOG.items():
        _write(root / "log" / day / "part.csv", "user,item,kind,time,ok", rows)
    _write(root / "items.csv", "item,name,sold", _ITEMS)
    _write(root / "users.csv", "user,age,tags,town,joined", _USERS)
    return root


def _write(path: pathlib.Path, header: str, rows: list[tuple]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join('"' + str(cell).replace('"', '""') + '"' for cell in row) for row in rows]
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def _data(
    root: pathlib.Path, repeats: str, duplicates: str, split: str, in_order: bool = False, **changes: Any
) -> Data:
    config: dict[str, Any] = {
        "name": "hostile",
        "workspace": "w",
        "data": {
            "schemas": "s",
            "split": {"kind": split},
            "interactions": {
                "path": "log/{YYYY}-{MM}-{DD}/*.csv",
                "last_spans": 2,
                "query_id": "user",
                "candidate_id": "item",
                "timestamp": "time",
                "filter": "ok == 1",
                "repeats": repeats,
                "weight": {"column": "kind", "values": {"view": 0, "buy": 2}},
                "features": {"kind": "category"},
                **({"timestamp": None, "timestamp_unit": "row"} if in_order else {}),
            },
            "candidates": {
                "path": "items.csv",
                "candidate_id": "item",
                "filter": "sold == 1",
                "duplicates": duplicates,
                "title": "name",
                "features": {"name": "text"},
            },
            "queries": {
                "path": "users.csv",
                "query_id": "user",
                "duplicates": duplicates,
                "features": {"age": "numeric", "tags": "multi_category", "town": "category", "joined": "timestamp"},
            },
            **changes,
        },
    }
    return parse_config(config, "x.yaml").data


def _windows(data: Data, root: pathlib.Path, folder: pathlib.Path, everything_is_train: bool) -> pathlib.Path:
    """Makes flat tables and windows as the pipeline's nodes do; returns the folder of the windows."""
    patterns = {}
    for kind, table in data.tables.items():
        found = InputTable.of(kind, table, root)
        with Pipeline() as pipeline:
            table_beam.build(pipeline, found.files, found.spec, str(folder / kind), str(folder / "staging" / kind))
        patterns[kind] = [str(folder / kind / "*.gz")]
    used = InteractionFeatures.model_validate({"history": {"kind": "category"}})
    config = from_config.windows_config_from(data, everything_is_train, used)
    with Pipeline() as pipeline:
        windows_beam.build(
            pipeline,
            windows_beam.InputPatterns(**patterns),
            config,
            _TYPES,
            str(folder / "windows"),
            str(folder / "st"),
        )
    summary = checks.GraphSummary.from_json((folder / "st" / windows_beam.SUMMARY_FILE).read_text())
    assert not summary.problems.get("missing value")
    return folder / "windows"


def _served(query: lookup.Query, query_time: int) -> dict[str, Any]:
    """Returns the inputs of a served model that `recommend` sends."""
    row = {
        **query.features,
        keys.QUERY_ID: query.query_id,
        keys.HISTORY_IDS: [item for item, _ in query.history],
        keys.HISTORY_TIMES: [time for _, time in query.history],
        keys.QUERY_TIME: query_time,
        "history_kind": query.features_of_items(["kind"])["kind"],
    }
    return {name: value.numpy().tolist() for name, value in signature_inputs(_SPECS, [row]).items()}


def _parsed(record: tf.train.Example) -> dict[str, Any]:
    """Returns the inputs of a served model that the signature `examples` reads from a window."""
    parsed = parse_examples(tf.constant([record.SerializeToString()]), _SPECS)
    return {name: parsed[name].numpy().tolist() for name in _SPECS}


@pytest.mark.parametrize(
    ("repeats", "duplicates", "latest"),
    [("all", "first", 10_000), ("first", "last", 10_000), ("last", "first", 10_000), ("all", "last", 3)],
)
def test_a_history_has_the_rows_that_the_pipeline_trains_on(root, tmp_path, repeats, duplicates, latest):
    data = _data(root, repeats, duplicates, "leave_last_out", max_interactions_per_query=latest)
    uri = _windows(data, root, tmp_path, everything_is_train=True)
    titles = lookup.candidate_titles(data, root)
    log = lookup.Log(data, root)
    windows = flat.read(uri, "train")
    assert len(windows) == 4
    for window in windows:
        [query_id] = flat.bytes_of(window, keys.QUERY_ID)
        query, _ = log.find(query_id.decode(), titles)
        found = flat.bytes_of(window, keys.TARGET_IDS), flat.ints_of(window, keys.TARGET_TIMES)
        assert [(item.decode(), time) for item, time in zip(*found, strict=True)] == query.history
        # The same window as a query just after its last row.
        features = window.features.feature
        features[keys.HISTORY_IDS].bytes_list.value[:] = found[0]
        features[keys.HISTORY_TIMES].int64_list.value[:] = found[1]
        features["history_kind"].bytes_list.value[:] = flat.bytes_of(window, "context_kind")
        assert {b"view", b"buy"} >= set(flat.bytes_of(window, "context_kind"))
        del features[keys.TARGET_TIMES]
        features[keys.QUERY_TIME].int64_list.value.append(found[1][-1] + 1)
        served, parsed = _served(query, found[1][-1] + 1), _parsed(window)
        np.testing.assert_equal(served, parsed)


def test_a_log_without_times_is_read_in_the_order_of_its_rows(root, tmp_path):
    data = _data(root, "last", "first", "leave_last_out", in_order=True)
    uri = _windows(data, root, tmp_path, everything_is_train=True)
    titles = lookup.candidate_titles(data, root)
    for window in flat.read(uri, "train"):
        [query_id] = flat.bytes_of(window, keys.QUERY_ID)
        query, times = lookup.Log(data, root).find(query_id.decode(), titles)
        assert [item.encode() for item, _ in query.history] == flat.bytes_of(window, keys.TARGET_IDS)
        assert {time for _, time in query.history} == {0}
        assert times.newest is None


def test_hand_made_histories(root):
    # Of u's rows in the newest two files: 01-02 10:00:00.250 b, toy (view), .750 a (view), 01-03 10:00:00 b, a, then
    # a (view). `last` keeps the newest row of each item, views and purchases apart.
    def history(repeats: str) -> list[str]:
        data = _data(root, repeats, "first", "leave_last_out")
        query, times = lookup.Log(data, root).find("u", lookup.candidate_titles(data, root))
        assert query.not_in_catalogue == ("gone", "unsold")
        assert (times.unit, times.newest) == ("iso8601", 1767434409)  # 2026-01-03 10:00:09
        return [item for item, _ in query.history]

    assert history("all") == ["b", "toy, story", "a", "b", "a", "a"]
    assert history("first") == ["b", "toy, story", "a", "a"]
    assert history("last") == ["toy, story", "b", "a", "a"]


@pytest.mark.parametrize("duplicates", ["first", "last"])
def test_features_and_titles_are_of_the_row_that_the_pipeline_keeps(root, duplicates):
    data = _data(root, "all", duplicates, "leave_last_out")
    titles = lookup.candidate_titles(data, root)
    assert titles == {"a": f"{duplicates} a", "toy, story": "Toy", "b": None, 'the "c"': "C"}
    query, _ = lookup.Log(data, root).find("u", titles)
    assert query.features["age"] == [31.1 if duplicates == "first" else 32.2]


@pytest.mark.parametrize("repeats", ["all", "first"])
def test_a_history_before_a_time_is_that_of_a_test_row_then(root, tmp_path, repeats):
    data = _data(root, repeats, "last", "leave_last_basket")
    uri = _windows(data, root, tmp_path, everything_is_train=False)
    titles = lookup.candidate_titles(data, root)
    log = lookup.Log(data, root)
    windows = [*flat.read(uri, "eval"), *flat.read(uri, "test")]
    assert len(windows) >= 3
    for window in windows:
        [query_id], [time] = flat.bytes_of(window, keys.QUERY_ID), flat.ints_of(window, keys.TARGET_TIMES)
        query, _ = log.find(query_id.decode(), titles, before=time)
        np.testing.assert_equal(_served(query, time), _parsed(window))
        assert flat.bytes_of(window, keys.SEEN_IDS) == sorted({item.encode() for item, _ in query.history})
        assert query.rows_from_then_on > 0


def test_an_unknown_query_has_its_features_and_no_history(root):
    data = _data(root, "all", "first", "leave_last_out")
    log = lookup.Log(data, root)
    query, _ = log.find("nobody", lookup.candidate_titles(data, root))
    assert (query.is_known, query.history, query.features["town"]) == (False, [], ["Rome"])
    assert log.times().newest == 1767434409
