from __future__ import annotations

import datetime
import gzip
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import ConfigError, DataError
from shortlist.tables import inputs, preflight, table_checks
from tests.shortlist.project import ITEMS, LOG, USERS, Project
from tests.shortlist.tables.tables import parquet_bytes


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_good_data(project):
    report = project.check()
    assert report.candidate_count == 4
    assert report.interactions.columns == ("user_id", "item_id", "timestamp")
    assert report.interactions.rows == 12
    assert report.interactions.sample[0] == {"query_id": ["u0"], "candidate_id": ["i0"], "timestamp": [0]}
    assert report.queries.sample[1] == {"query_id": ["u1"], "age": []}
    assert report.warnings == ()
    assert (project.root / "workspaces" / "x").is_dir()
    assert list((project.root / "workspaces" / "x").iterdir()) == []


def test_queries_are_optional(project):
    project.raw["data"]["queries"] = None
    project.schema("queries", None)
    assert project.check().queries is None


@pytest.mark.parametrize(
    ("tables", "parts"),
    [
        ({"log": "user,item_id,timestamp\n"}, ["log.csv", "'user_id'", "did you mean 'user'?", "'timestamp'"]),
        ({"log": LOG + "u1,i1\n"}, ["log.csv, row 12 (from 0), line 14", "3 fields"]),
        ({"log": LOG + ",i1,1\n"}, ["log.csv, row 12", "column 'user_id'", "a blank"]),
        (
            {"log": "user_id,item_id,timestamp\nu0,i0,1700000000\nu0,i1,1700000001\nu1,i2,1700000002000\n"},
            ["log.csv, row 2", "column 'timestamp'", "milliseconds"],
        ),
        ({"log": b"user_id,item_id,timestamp\n\xff,i,1\n"}, ["log.csv, line 2", "UTF-8"]),
        ({"log": ""}, ["log.csv", "an empty file"]),
        ({"log": "user_id,item_id,timestamp\n"}, ["log.csv", "only a header"]),
        (
            {"log": "user_id,item_id,timestamp\nu,i0,1\nu,i1,2\nu,i2,3\n"},
            ["column 'user_id'", "2 different", "only 'u'"],
        ),
        ({"log": "user_id,item_id,timestamp\nu,i0,1\nv,i1,2\nv,i2,3\n"}, ["at least 3 interactions", "leave_last_out"]),
        ({"log": LOG + "u0,none,9\n"}, ["column 'item_id'", "1 of 13", "not in items.csv", "'none'", "0.05"]),
        ({"items": ITEMS + "i1,Again\n"}, ["items.csv, column 'item_id'", "'i1' in row 1 and again in row 4"]),
        ({"items": "item_id,title\ni0,Zero\n"}, ["items.csv", "at least 2 candidates", "got 1"]),
        ({"items": "item_id,title\n"}, ["items.csv", "at least 2 candidates", "got 0"]),
        ({"items": ITEMS + "".join(f"x{i},\n" for i in range(2000)) + ",\n"}, ["items.csv, row 2004", "a blank"]),
        ({"users": USERS + "u0,8\n"}, ["users.csv, column 'user_id'", "'u0' in row 0 and again in row 3"]),
        ({"users": "user_id,age\n"}, ["users.csv", "only a header"]),
        ({"users": USERS + "u3,old\n"}, ["users.csv, row 3", "column 'age'", "'old'"]),
    ],
)
def test_bad_tables(project, tables, parts):
    sentence = project.write(**tables).refusal()
    for part in parts:
        assert part in sentence
    assert not (project.root / "workspaces").exists()


def test_missing_file_names_the_place_and_the_nearest(project):
    project.set(candidates={"path": "item.csv"})
    sentence = project.refusal()
    assert f"expected a file at {project.data / 'item.csv'}" in sentence
    assert "SHORTLIST_DATA_DIR" in sentence
    assert "did you mean 'items.csv'?" in sentence


def test_a_folder_stands_for_its_files(project):
    (project.data / "log").mkdir()
    project.set(interactions={"path": "log"})
    assert "got an empty folder" in project.refusal()
    (project.data / "log.csv").rename(project.data / "log" / "1.csv")
    assert [file.name for file in project.check().interactions.files] == ["log/1.csv"]


def test_unreadable_file(project, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(inputs.InputFile, "open", refuse)
    assert "Permission denied" in project.refusal()


def test_unknown_format(project):
    (project.data / "items.xml").write_bytes(b"<")
    project.set(candidates={"path": "items.xml"})
    sentence = project.refusal()
    assert "items.xml: expected a file name that ends in .csv, .tsv, .dat" in sentence
    assert "data.candidates.format" in sentence


def test_patterns_read_every_file_and_name_the_one_that_is_bad(project):
    for day in (1, 2):
        (project.data / f"day{day}.csv").write_text(LOG)
    project.set(interactions={"path": "day*.csv"})
    assert project.check().interactions.rows == 24
    (project.data / "day2.csv").write_text("user_id,item_id\n")
    assert project.refusal().startswith("day2.csv: expected a column 'timestamp'")


def test_repeated_ids_across_files_name_both(project):
    for part in ("a", "b"):
        (project.data / f"part-{part}.csv").write_text("item_id,title\ni0,\n" + f"{part},\n")
    project.set(candidates={"path": "part-*.csv"})
    assert "'i0' in part-a.csv row 0 and again in part-b.csv row 0" in project.refusal()


def test_long_logs_are_sampled(project, monkeypatch):
    monkeypatch.setattr(table_checks, "MAX_CHECKED_TIMES", 24_000)
    many = "".join(f"u{i % 7},i{i % 4},{i}\n" for i in range(25_000))
    report = project.write(log="user_id,item_id,timestamp\n" + many + "bad row far down\n").check()
    assert len(report.interactions.sample) == 1000
    assert report.interactions.rows is None


def test_a_time_of_0_after_the_sample_is_found_before_the_run(project):
    rows = [f"u{i % 7},i{i % 4},{1_600_000_000 + i}\n" for i in range(2_000)]
    rows[1_500] = "u2,i3,0\n"
    with pytest.raises(DataError, match=r"row 1500 .* column 'timestamp': expected a time in seconds .* got '0'"):
        project.write(log="user_id,item_id,timestamp\n" + "".join(rows)).check()


def test_one_query_in_a_sample_may_be_the_first_of_many(project):
    project.write(log="user_id,item_id,timestamp\n" + "u0,i0,1\n" * 2000).check()


def test_samples_without_a_known_id_warn(project):
    report = project.write(log="user_id,item_id,timestamp\n" + "7.0,10.0,1\n" * 2000).check()
    assert len(report.warnings) == 2
    assert "'7.0'" in report.warnings[0]
    assert "'10.0'" in report.warnings[1]


@pytest.mark.parametrize(
    ("split", "log", "part"),
    [
        ({"kind": "leave_last_basket"}, "u,i0,5\nu,i1,5\nu,i2,5\nv,i0,1\n", "2 different timestamps"),
        ({"kind": "temporal", "eval_from": 10, "test_from": 20}, "u,i0,10\nv,i1,25\n", "before eval_from=10"),
        ({"kind": "temporal", "eval_from": 10, "test_from": 20}, "u,i0,9\nv,i1,19\n", "at or after test_from=20"),
        (
            {"kind": "temporal", "eval_spans": 1, "test_spans": 1},
            "u,i0,2024-01-01T09:00:00\nv,i1,2024-01-02T09:00:00\n",
            "more than 1 + 1 spans before the latest one",
        ),
        ({"kind": "random"}, "u,i0,9\nv,i1,19\n", "at least 5 interactions"),
    ],
)
def test_nothing_to_evaluate(project, split, log, part):
    if split["kind"] == "random":
        project.raw["model"] = {"query_tower": {"kind": "features"}}
    sentence = project.set(split=split).write(log="user_id,item_id,timestamp\n" + log).refusal()
    assert part in sentence
    assert split["kind"] in sentence


def test_enough_to_evaluate(project):
    project.set(split={"kind": "leave_last_basket"})
    project.write(log="user_id,item_id,timestamp\nu,i0,5\nu,i1,6\nv,i0,1\n").check()
    project.set(split={"kind": "temporal", "eval_from": 10, "test_from": 20})
    project.write(log="user_id,item_id,timestamp\nu,i0,5\nv,i1,20\n").check()
    project.set(split={"kind": "temporal", "eval_spans": 1, "test_spans": 1})
    rows = "u,i0,2024-01-01T23:59:59\nu,i1,2024-01-02T00:00:00\nv,i1,2024-01-03T00:00:00\n"
    project.write(log=f"user_id,item_id,timestamp\n{rows}").check()


def test_spans_need_times(project):
    project.set(split={"kind": "temporal", "eval_spans": 1, "test_spans": 1})
    project.write(log="user_id,item_id,timestamp\nu,i0,5\nv,i1,20\n")
    assert project.refusal(ConfigError).startswith(
        "data.split.eval_spans needs times, but interactions.timestamp_unit is order; give eval_from and test_from"
    )


def test_missing_schema(project):
    project.schema("queries", None)
    sentence = project.refusal(ConfigError)
    assert "queries.pbtxt" in sentence
    assert "write one like those in schemas/movielens_100k" in sentence


def test_file_in_the_way_of_the_workspace(project):
    (project.root / "workspaces").write_text("")
    assert "a file of that name" in project.refusal(ConfigError)
    (project.root / "workspaces").unlink()
    (project.root / "workspaces").mkdir()
    (project.root / "workspaces" / "x").write_text("")
    assert "a file of that name" in project.refusal(ConfigError)


def test_read_only_workspace(project, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(preflight.tempfile, "TemporaryFile", refuse)
    sentence = project.refusal(ConfigError)
    assert "Permission denied" in sentence
    assert "set `workspace` to another folder" in sentence


SECONDS = "user_id,item_id,timestamp\n" + "".join(
    f"u{u},i{i},{881_250_949 + 7 * u + i}\n" for u in range(3) for i in range(4)
)


def with_unit(unit: str) -> str:
    """Returns `SECONDS` with its times written in another unit."""
    header, *rows = SECONDS.splitlines()
    written = []
    for row in rows:
        user, item, seconds = row.split(",")
        moment = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
        time = {"ms": f"{seconds}123", "iso": f"{moment:%Y-%m-%d %H:%M:%S}", "us": f"{moment:%m/%d/%Y %H:%M}"}[unit]
        written.append(f"{user},{item},{time}")
    return "\n".join([header, *written]) + "\n"


@pytest.mark.parametrize(
    ("log", "unit", "values"),
    [
        (LOG, "order", {"timestamp": [0]}),
        (SECONDS, "seconds", {"timestamp": [881_250_949]}),
        (with_unit("ms"), "milliseconds", {"timestamp": [881_250_949], "timestamp_nanos": [123_000_000]}),
        (with_unit("iso"), "iso8601", {"timestamp": [881_250_949], "timestamp_nanos": [0]}),
    ],
)
def test_the_unit_of_the_times_is_found(project, log, unit, values):
    report = project.write(log=log).check()
    assert report.timestamp_unit == unit
    assert report.interactions.sample[0] == {"query_id": ["u0"], "candidate_id": ["i0"], **values}


@pytest.mark.parametrize("log", ["ms", "iso"])
def test_an_order_within_a_second_is_not_shuffled(project, log):
    project.raw["train"] = {"shuffle_ties": True}
    assert project.write(log=SECONDS).check().timestamp_unit == "seconds"
    project.write(log=with_unit(log))
    with pytest.raises(ConfigError, match="shuffle_ties: expected times of whole seconds"):
        project.check()
    project.raw["train"] = {}
    project.raw["tune"] = {"space": {"train.shuffle_ties": [True, False]}}
    with pytest.raises(ConfigError, match=r"tune\.space\.train\.shuffle_ties: expected times of whole seconds"):
        project.check()


def test_the_unit_of_the_config_is_believed(project):
    project.set(interactions={"timestamp_unit": "order"})
    assert project.write(log=SECONDS).check().timestamp_unit == "order"
    project.set(interactions={"timestamp_unit": "milliseconds"})
    assert "looks like seconds, but data.interactions.timestamp_unit is milliseconds" in project.refusal()


def test_times_that_a_file_keeps_as_such_need_no_unit(project, tmp_path):
    moments = [datetime.datetime(2011, 12, 9, 12, 50, second, 1) for second in range(12)]
    columns = {
        "user_id": [f"u{row // 4}" for row in range(12)],
        "item_id": [f"i{row % 4}" for row in range(12)],
        "timestamp": pa.array(moments, pa.timestamp("us")),
    }
    project.file("log.parquet", parquet_bytes(columns))
    for unit in ("auto", "seconds", "order"):
        report = project.set(interactions={"path": "log.parquet", "timestamp_unit": unit}).check()
        assert report.timestamp_unit == "iso8601"
        assert report.interactions.sample[0]["timestamp_nanos"] == [1000]
    project.file("log2.parquet", parquet_bytes(columns | {"timestamp": range(881_250_949, 881_250_961)}))
    sentence = project.set(interactions={"path": "log*.parquet", "timestamp_unit": "auto"}).refusal()
    assert (
        "log2.parquet, column 'timestamp': expected times as in log.parquet, which has iso8601, got seconds" in sentence
    )


def test_files_in_different_units_are_refused(project):
    project.file("log/1.csv", SECONDS).file("log/2.csv", with_unit("ms")).set(interactions={"path": "log"})
    sentence = project.refusal()
    assert (
        "log/2.csv, column 'timestamp': expected times as in log/1.csv, which has seconds, got milliseconds" in sentence
    )
    assert "data.interactions.timestamp_unit" in sentence


@pytest.mark.parametrize(
    ("log", "part"),
    [
        (with_unit("us"), "the order of day and month is ambiguous"),
        ("user_id,item_id,timestamp\nu,i0,157766400\nv,i1,1\n", "set data.interactions.timestamp_unit"),
        ("user_id,item_id,timestamp\nu,i0,\nv,i1,\n", "only blanks"),
    ],
)
def test_undecidable_times(project, log, part):
    sentence = project.write(log=log).refusal()
    assert sentence.startswith("log.csv, column 'timestamp': expected")
    assert part in sentence


def test_no_timestamp_has_no_unit(project):
    project.raw["model"] = {"query_tower": {"kind": "features"}}
    project.set(interactions={"timestamp": None}, split={"kind": "random"})
    assert project.check().timestamp_unit == "order"


def test_only_rows_after_the_filter_are_checked(project):
    dirt = "".join(f",i0,12/1/2010 8:{minute}\n" for minute in range(10, 60))
    log = SECONDS.replace("user_id,item_id,timestamp\n", "user_id,item_id,timestamp\n" + dirt)
    project.write(log=log).set(interactions={"filter": "user_id is not None"})
    report = project.check()
    assert report.timestamp_unit == "seconds"
    assert report.interactions.rows == 12


def test_a_filter_that_drops_everything(project):
    project.set(interactions={"filter": 'user_id == "nobody"'})
    assert project.refusal() == (
        "log.csv: expected a row that passes data.interactions.filter, got none among 12; correct the filter"
    )
    project.set(interactions={"filter": "rating >= 4"})
    assert "set data.interactions.filter to one of them" in project.refusal()
    project.set(interactions={"filter": None}, candidates={"filter": 'title == "None"'})
    assert "expected at least 2 candidates after the filter, got 0" in project.refusal()
    project.set(candidates={"filter": None}, queries={"filter": "age > 99"})
    assert "users.csv: expected at least one row, got none that passes data.queries.filter" in project.refusal()


def test_a_filter_that_drops_all_of_the_first_rows(project):
    rows = "".join(f"u{row % 3},i{row % 4},{row}\n" for row in range(100_001))
    project.write(log="user_id,item_id,timestamp\n" + rows).set(interactions={"filter": "timestamp > 100000"})
    assert "set data.interactions.timestamp_unit" in project.refusal()
    report = project.set(interactions={"timestamp_unit": "order"}).check()
    assert report.warnings == ("log.csv: data.interactions.filter drops all of the first 100,000 rows; is it correct?",)


def test_the_log_may_be_its_own_catalogue(project):
    project.set(candidates={"path": "log.csv", "features": {}}).without_queries()
    assert "'i0' in row 0 and again in row 4" in (refusal := project.refusal())
    assert "set data.candidates.duplicates to first or last" in refusal
    assert project.set(candidates={"duplicates": "first"}).check().candidate_count == 4


def test_types_with_weights(project):
    rows = LOG.splitlines()
    events = ["event", "view", "cart", *["view"] * 10]
    project.write(log="\n".join(map(",".join, zip(rows, events, strict=True))))
    project.set(interactions={"weight": {"column": "event", "values": {"view": 0, "purchase": 1}}})
    sentence = project.refusal()
    assert "log.csv, row 1 (from 0), line 3, column 'event': expected one of 'view', 'purchase', got 'cart'" in sentence
    project.set(interactions={"weight": {"column": "event", "values": {"view": 1, "cart": 3}}})
    assert project.check().interactions.sample[1]["weight"] == [3.0]
    project.set(interactions={"weight": {"column": "event", "values": {"view": 0, "cart": 3}}})
    assert "a query with at least 3 interactions" in project.refusal()


def test_repeats_are_no_interactions(project):
    project.write(log="user_id,item_id,timestamp\nu,i0,1\nu,i0,2\nu,i1,3\nv,i0,1\n")
    assert project.check().interactions.rows == 4
    assert "at least 3 interactions" in project.set(interactions={"repeats": "first"}).refusal()


@pytest.mark.parametrize("action", ["warn", "ignore"])
def test_unknown_candidates_may_be_let_through(project, action):
    project.set(gate={"unknown_candidates": {"threshold": 0.05, "action": action}})
    warnings = project.write(log=LOG + "u0,none,9\n").check().warnings
    assert len(warnings) == (action == "warn")
    assert "'none'" in "".join(warnings) or action == "ignore"


def test_large_catalogues_are_left_to_the_run(project, monkeypatch):
    monkeypatch.setattr(table_checks, "MAX_CHECKED_ROWS", 3)
    report = project.write(items=ITEMS + "i1,Again\n").check()
    assert report.candidate_count is None
    assert len(report.candidates.sample) == 5


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.jsonl", "log.parquet"])
def test_more_rows_than_one_machine_was_measured_with(project, monkeypatch, name):
    columns = ("user_id", "item_id", "timestamp")
    rows = [(f"u{row % 3}", f"i{row % 4}", str(row)) for row in range(50_000)]
    text = "\n".join(map(",".join, [columns, *rows]))
    contents = {
        "log.csv": text.encode(),
        "log.csv.gz": gzip.compress(text.encode()),
        "log.jsonl": "\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows).encode(),
        "log.parquet": parquet_bytes(dict(zip(columns, zip(*rows, strict=True), strict=True))),
    }
    project.file(name, contents[name]).set(interactions={"path": name})
    assert project.check().warnings == ()
    monkeypatch.setattr(table_checks, "DIRECT_RUNNER_ROWS", 10_000)
    [warning] = project.check().warnings
    assert warning.startswith(f"{name}: about ")
    assert "Flink or Dataflow" in warning
    estimated = int(warning.split("about ")[1].split()[0].replace(",", ""))
    assert estimated == pytest.approx(50_000, rel=0.3)
    assert project.set(interactions={"filter": 'item_id != "i9" and user_id == "u0"'}).check().warnings
    assert project.set(interactions={"filter": 'item_id == "i0" and user_id == "u0"'}).check().warnings == ()


def test_one_bad_file_among_many(project):
    for day in range(1, 31):
        project.file(f"log/2011-01-{day:02}/part.csv", SECONDS)
    project.set(interactions={"path": "log/{YYYY}-{MM}-{DD}/*.csv"})
    assert project.check().interactions.rows == 30 * 12
    project.file("log/2011-01-17/part.csv", SECONDS.replace("u1,i2", "u1,"))
    assert project.refusal().startswith(
        "log/2011-01-17/part.csv, row 6 (from 0), line 8, column 'item_id': expected an id, got a blank"
    )
    assert project.set(interactions={"last_spans": 7}).check().interactions.rows == 7 * 12


FIELDS = st.text(max_size=4) | st.sampled_from(["u1", "u2", "i1", "i9", "1", "2", "", '"', "a\0", "x\ny", "é🦊"])
ROWS = st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=3)


@given(log=ROWS, items=ROWS, users=ROWS)
def test_any_dirt_in_good_tables_is_accepted_or_refused(tmp_path_factory, log, items, users):
    project = Project(tmp_path_factory.mktemp("project"))
    for name, good, dirt in (("log", LOG, log), ("items", ITEMS, items), ("users", USERS, users)):
        project.write(**{name: good + "\n".join(map(",".join, dirt))})
    try:
        report = project.check()
    except DataError:
        assert log or items or users
        return
    assert report.candidate_count >= 4
