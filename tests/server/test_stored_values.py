"""Wrong values in the tables of a server: its operator gets file, column and row, and no client sees them."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from server import histories, parquet_tables
from server.attributes import Overrides
from server.features import Features
from server.known import Event, Known, Readable, WithFeatures
from server.metrics import Metrics
from server.rollout import Rollout
from server.stored_values import StoredValues
from shortlist import model_files
from shortlist.config.features import FeatureType
from shortlist.config.serve import LATEST, Serve
from shortlist.errors import BadInputError
from shortlist.serving import catalogue, rules
from shortlist.serving.request_values import ValueSpec
from tests.components.indexer import stand_in
from tests.server import running
from tests.server.test_features import FEATURES

LATER = 10**12
NUMBER, WHOLE, TEXT = (ValueSpec(kind, is_list=False) for kind in ("numbers", "whole numbers", "strings"))
TEXTS, VECTOR = ValueSpec("strings", is_list=True), ValueSpec("numbers", is_list=True, width=2)


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def misfits(spec, *values):
    stored = StoredValues("users.parquet")
    for row, value in enumerate(values):
        stored.add({"age": value}, lambda row=row: f"row {row} (from 0)")
    return [str(error) for error in stored.misfits({"age": spec}).values()]


@pytest.mark.parametrize(
    ("spec", "values", "fault"),
    [
        (NUMBER, [1, 2.5, None, float("nan")], None),
        (NUMBER, [1, 2, "old", "older"], "row 2 (from 0): expected numbers, got 'old'"),
        (NUMBER, [1.5, float("inf")], "row 1 (from 0): expected finite numbers, got inf"),
        # A number of 64 bits without a sign is a number, but none of those that times have.
        (NUMBER, [2**64 - 1, 1e39], "row 1 (from 0): expected finite numbers, got 1e+39"),
        (WHOLE, [5, 2**63], "row 1 (from 0): expected whole numbers, got 9223372036854775808"),
        (WHOLE, [5, 5.0], "row 1 (from 0): expected whole numbers, got 5.0"),
        (NUMBER, [1, True], "row 1 (from 0): expected numbers, got True"),
        (NUMBER, [[1.0], [], [1.0, 2.0]], "row 2 (from 0): expected one value, got the list [1.0, 2.0]"),
        (TEXT, ["a", 3], "row 1 (from 0): expected strings, got 3"),
        (TEXT, [datetime.date(2026, 1, 1)], "row 0 (from 0): expected strings, got datetime.date(2026, 1, 1)"),
        (TEXTS, [["a"], ["a", "b", "c"], [], ["a", None]], None),
        (TEXTS, [["a", "b"], ["a", 2]], "row 1 (from 0): expected strings, got 2 at position 1, counted from 0"),
        (VECTOR, [[1.0, 2.0], [], [3, 4]], None),
        (VECTOR, [[1.0, 2.0], [1.0, 2.0, 3.0]], "row 1 (from 0): expected 2 numbers, or none, got 3"),
        (VECTOR, [[1.0, 2.0], [1.0, None]], "row 1 (from 0): expected numbers, got None at position 1"),
    ],
)
def test_the_first_value_that_does_not_fit_is_named(spec, values, fault):
    found = misfits(spec, *values)
    if fault is None:
        assert found == []
    else:
        assert [message[: len(fault) + 29] for message in found] == [f"users.parquet, column 'age', {fault}"]


def test_columns_that_the_model_does_not_read_may_have_anything(tmp_path):
    path = write(tmp_path / "users.parquet", query_id=["a"], balance=[decimal.Decimal("3.5")], age=[30.0])
    known = WithFeatures(None, parquet_tables.read_features(path), 1, source=path)
    assert known.find("a", LATER).features == {"balance": None, "age": 30.0}
    assert known.misfits(FEATURES) == []
    [misfit] = known.misfits(Features({"balance": tf.TensorSpec([None], tf.float32)}))
    assert str(misfit.error).startswith(f"{path}, column 'balance', row 0 (from 0): expected numbers, got Decimal(")


def test_features_of_interactions_are_checked_too(tmp_path):
    path = write(
        tmp_path / "log.parquet",
        query_id=["a"] * 3,
        candidate_id=["x"] * 3,
        timestamp=[1, 2, 3],
        rating=["4", "5", "6"],
    )
    for memory_mb in (1, 0):
        known = histories.read(path, memory_mb, ["rating"])
        [misfit] = known.misfits(FEATURES)
        assert (misfit.column, misfit.of_events) == ("rating", True)
        assert f"{path}, column 'rating', row 0 (from 0): expected numbers, got '4'" in str(misfit.error)
        known.close()


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("timestamp", ["1", "noon"], ", row 1 (from 0): expected times or whole numbers of seconds, got 'noon'"),
        ("timestamp", [1.0, 2.5], ", row 1 (from 0): expected times or whole numbers of seconds, got 2.5"),
        ("timestamp", [[1], [2]], ", row 0 (from 0): expected times or whole numbers of seconds, got [1]"),
        (
            "timestamp",
            pa.array([0, 10**11], pa.timestamp("s")),
            ", row 1 (from 0): expected times from 1678 to 2262, got datetime.datetime(5138, 11, 16, 9, 46, 40)",
        ),
        ("query_id", [1.0, 2.0], ": expected texts or whole numbers, got values of type double"),
        ("candidate_id", [["x"], ["y"]], ": expected texts or whole numbers, got values of type list<"),
        ("candidate_id", [b"x", b"\xff"], ", row 1 (from 0): expected texts or whole numbers, got b'\\xff'"),
        ("note", [b"n", b"\xff"], ", row 1 (from 0): expected text in UTF-8, got b'\\xff'"),
    ],
)
def test_a_wrong_cell_of_the_histories_is_named(tmp_path, column, values, fault):
    columns = {"query_id": ["a", "b"], "candidate_id": ["x", "y"], "timestamp": [1, 2], "note": ["n", "m"]}
    path = write(tmp_path / "log.parquet", **{**columns, column: values})
    with pytest.raises(BadInputError) as raised:
        histories.read(path, 1, ["note"])
    assert str(raised.value).startswith(f"{path}, column {column!r}{fault}")


def test_the_row_is_counted_over_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_tables, "_BATCH", 4)
    times = ["1"] * 9 + ["noon"]
    path = write(tmp_path / "log.parquet", query_id=["a"] * 10, candidate_id=["x"] * 10, timestamp=times)
    with pytest.raises(BadInputError, match=r"column 'timestamp', row 9 \(from 0\)"):
        histories.read(path, 1)


def test_old_writers_and_pandas_write_ids_in_other_types(tmp_path, caplog):
    path = write(
        tmp_path / "log.parquet",
        query_id=pa.array(["a", None, "a", "b"]).dictionary_encode(),
        candidate_id=[b"x", b"y", b"z", b"x"],
        timestamp=pa.array([3, 4, 1, 2], pa.date32()),
    )
    known = histories.read(path, 1)
    assert known.find("a", LATER).events == [Event("z", 86_400), Event("x", 3 * 86_400)]
    assert "1 rows without an id or a time are left out" in caplog.text
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["query_id", "query_id"]), path)
    with pytest.raises(BadInputError, match="expected one column 'query_id', got several"):
        list(parquet_tables.read_features(path))


def test_a_server_does_not_start_with_histories_that_its_model_cannot_read(serving_dir, tmp_path):
    path = write(tmp_path / "users.parquet", query_id=["user-1", "user-2"], age=["30", "old"])
    known = histories.of_settings(Serve(queries=str(path)), serving_dir)
    rollout = Rollout(serving_dir, Serve(), Metrics(), running.loader())
    with pytest.raises(
        BadInputError, match=r"users.parquet, column 'age', row 0 \(from 0\): expected numbers, got '30'"
    ):
        rollout.start(known)
    rollout.close()


def test_a_new_version_that_cannot_read_the_histories_is_refused(serving_dir, tmp_path):
    from components.indexer import export
    from components.indexer.exact import ExactIndex

    trained = tf.saved_model.load(
        str(stand_in.save_stand_in(tmp_path / "trained", running.SIZE, kind=stand_in.RequestStandIn))
    )
    served = export.ServedModel(trained, ExactIndex(k=running.K).index(trained.candidate_embeddings), running.K)
    export.save(served, str(tmp_path / "trained"), str(tmp_path / "exact"))
    export.write_index_file(str(tmp_path / "exact"), {"kind": "brute_force", "k": running.K})
    # The first version reads no `look`, the second one reads two numbers.
    path = write(tmp_path / "users.parquet", query_id=["user-1"], look=[[1.0, 2.0, 3.0]], age=[30.0])
    settings = Serve(queries=str(path), poll_seconds=600)
    with running.running(serving_dir, settings, known=histories.of_settings(settings, serving_dir)) as server:
        running.push(tmp_path / "exact", serving_dir, 2)
        server.rollout.refresh()
        assert server.client().recommend(query="user-1")["version"] == "1"
        assert "column 'look', row 0 (from 0): expected 2 numbers, or none, got 3" in server.rollout.refused["2"]


class Fixed:
    """Histories with one query, and with a table that has a wrong `rating` and a wrong `hour`."""

    is_in_memory = True

    def __init__(self):
        self.of_events, self.of_queries = StoredValues("log.csv"), StoredValues("users.csv")
        self.of_events.add({"rating": "good"}, lambda: "row 3")
        self.of_queries.add({"hour": "late"}, lambda: "row 4")

    def misfits(self, features):
        return features.misfits_of_events(self.of_events) + features.misfits_of_queries(self.of_queries)

    def find(self, query_id, before):
        return Known([Event("x", 1, {"rating": "good", "place": "shop"})], {"hour": "late", "tags": ["a"]})

    def close(self):
        pass


def test_what_nobody_named_is_left_out(caplog):
    known = Readable(Fixed(), unnamed=[True, False])
    assert known.misfits(FEATURES) == []
    assert known.find("a", 9) == Known([Event("x", 1, {"place": "shop"})], {"tags": ["a"]})
    assert "left out, since the model cannot read it: log.csv, column 'rating', row 3: expected numbers" in caplog.text
    # The features of queries come from a table that the operator named.
    strict = Readable(Fixed(), unnamed=[True])
    assert [misfit.column for misfit in strict.misfits(FEATURES)] == ["hour"]
    assert strict.find("a", 9).features == {"hour": "late", "tags": ["a"]}


def test_known_values_need_no_check_per_request():
    known = Known([Event("x", 1, {"rating": 4.0}), Event("y", 2)], {"hour": 8, "unread": 1})
    assert FEATURES.inputs(known, {}, []) == {"history_rating": [4.0, None], "context_hour": 8}


# --- attributes of today ---


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"candidate_id": ["a", None]}, ", column 'candidate_id', row 1 (from 0): expected an id, got none"),
        (
            {"candidate_id": [1.5]},
            ", column 'candidate_id': expected texts or whole numbers, got values of type double",
        ),
        ({"candidate_id": ["a"], "x": [b"\xff"]}, ", column 'x', row 0 (from 0): expected text in UTF-8, got b'\\xff'"),
        ({"candidate_id": ["a"], "x": [[1, 2]]}, ", column 'x': expected texts, lists of texts, numbers or"),
        (
            {"candidate_id": ["a"], "x": [{"y": 1}]},
            ", column 'x': expected texts, lists of texts, numbers or",
        ),
        ({"id": ["a"]}, ": expected the columns ['candidate_id'], got none of ['candidate_id']"),
    ],
)
def test_a_wrong_table_of_attributes_is_named(tmp_path, columns, fault):
    path = write(tmp_path / "attributes.parquet", **columns)
    with pytest.raises(BadInputError) as raised:
        Overrides.read(path)
    assert str(raised.value).startswith(f"{path}{fault}")


def test_attributes_may_be_categories_of_pandas_and_dates(tmp_path):
    path = write(
        tmp_path / "attributes.parquet",
        candidate_id=[7, 8],
        brand=pa.array(["x", None]).dictionary_encode(),
        since=pa.array([1, None], pa.date32()),
        at=pa.array([1_500, None], pa.timestamp("ms")),
        tags=[[b"n", None], None],
    )
    found = Overrides.read(path)
    assert found.ids == ["7", "8"]
    assert found.columns["brand"].values == [("x",), ()]
    assert found.columns["tags"].values == [("n",), ()]
    assert found.columns["since"][0] == 86_400
    assert found.columns["at"][0] == 1
    assert found.columns["at"][1] != found.columns["at"][1]


def test_attributes_of_another_kind_stop_the_start(serving_dir, tmp_path):
    path = write(tmp_path / "attributes.parquet", candidate_id=["item-3"], genre=[5])
    rollout = Rollout(serving_dir, Serve(attributes=str(path)), Metrics(), running.loader())
    expected = "column 'genre': expected texts or lists of texts, as the version has, got numbers or times"
    with pytest.raises(BadInputError, match=expected):
        rollout.start()
    # With another table, the version is tried again.
    write(tmp_path / "next.parquet", candidate_id=["item-3"], genre=["New"])
    os.replace(tmp_path / "next.parquet", path)
    rollout.start()
    assert rollout.newest.facts.version == "1"
    rollout.close()


def test_attributes_of_another_kind_leave_those_before(serving_dir, tmp_path, caplog):
    path = write(tmp_path / "attributes.parquet", candidate_id=["item-3"], genre=["New"], price=[1])
    settings = Serve(attributes=str(path), poll_seconds=600)
    with running.running(serving_dir, settings) as server:
        client = server.client()

        def new_ones():
            return [item["id"] for item in client.recommend(filter={"genre": {"any": ["New"]}})["items"]]

        assert new_ones() == ["item-3"]
        for change in ({"genre": [5]}, {"release_year": ["old"]}):
            columns = {"candidate_id": ["item-5"], "genre": ["New"], **change}
            write(tmp_path / "next.parquet", **columns)
            os.replace(tmp_path / "next.parquet", path)
            server.rollout.refresh()
            assert new_ones() == ["item-3"]
            assert f"column {next(iter(change))!r}: expected" in caplog.text
        write(tmp_path / "next.parquet", candidate_id=["item-5"], genre=["New"])
        os.replace(tmp_path / "next.parquet", path)
        server.rollout.refresh()
        assert new_ones() == ["item-5"]


@pytest.fixture(scope="module")
def other_model(model_folder, tmp_path_factory):
    """A model whose attribute `genres` has numbers, 0 for each candidate."""
    folder = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(model_folder, folder)
    path = folder / model_files.CANDIDATES_FILE
    kinds = {"genre": FeatureType.CATEGORY, "genres": FeatureType.NUMERIC, "release_year": FeatureType.NUMERIC}
    rows = [{**row, "attribute_genres": 0.0} for row in pq.read_table(path).to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, catalogue.schema("name", kinds)), path)
    return folder


def passing(version, wanted):
    """Returns the candidates that pass a filter."""
    conditions = rules.parse_filter(wanted, version.facts.kinds)
    return [item["id"] for item in version.model.call("similar", ["item-5"], conditions, 5)]


@pytest.mark.parametrize("order", [("table", "version"), ("version", "table")])
def test_a_table_and_a_version_that_change_a_kind_together_do_not_block_each_other(
    serving_dir, other_model, tmp_path, order
):
    path = write(tmp_path / "attributes.parquet", candidate_id=["item-3"], genres=["New"])
    settings = Serve(attributes=str(path), poll_seconds=600, split={LATEST: 50, "1": 50})
    with contextlib.closing(Rollout(serving_dir, settings, Metrics(), running.loader())) as rollout:
        rollout.start()

        def change(what):
            if what == "version":
                running.push(other_model, serving_dir, 2)
                return
            write(tmp_path / "next.parquet", candidate_id=["item-4"], genres=[5])
            os.replace(tmp_path / "next.parquet", path)

        for what, newest in zip(order, ("1", "2"), strict=True):
            change(what)
            rollout.refresh()
            assert rollout.newest.facts.version == newest
            # The version before keeps the table that it can use, also beside the new one.
            assert passing(rollout.version("1"), {"genres": {"any": ["New"]}}) == ["item-3"]
        assert passing(rollout.newest, {"genres": {"min": 1}}) == ["item-4"]

        # A table that the version before can use is again its own, and the new version keeps its table.
        write(tmp_path / "next.parquet", candidate_id=["item-6"], genres=["New"])
        os.replace(tmp_path / "next.parquet", path)
        rollout.refresh()
        assert passing(rollout.version("1"), {"genres": {"any": ["New"]}}) == ["item-6"]
        assert passing(rollout.newest, {"genres": {"min": 1}}) == ["item-4"]

        # So does a version of the same kind that comes after.
        running.push(other_model, serving_dir, 3)
        rollout.refresh()
        assert rollout.newest.facts.version == "3"
        assert passing(rollout.newest, {"genres": {"min": 1}}) == ["item-4"]
