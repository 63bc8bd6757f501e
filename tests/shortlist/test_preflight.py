from __future__ import annotations

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import inputs, preflight
from shortlist.config.load import parse_config
from shortlist.errors import BadInputError, ConfigError, DataError, ExitCode

LOG = "user_id,item_id,timestamp\n" + "".join(f"u{u},i{i},{u + i}\n" for u in range(3) for i in range(4))
ITEMS = "item_id,title\ni0,Zero\ni1,One\ni2,Two\ni3,Three\n"
USERS = "user_id,age\nu0,7\nu1,\nu2,9\n"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


class Project:
    """A data root, schemas and a config that pass the preflight until something is changed."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.data = root / "data"
        self.data.mkdir(exist_ok=True)
        (root / "schemas").mkdir(exist_ok=True)
        for name in ("interactions", "candidates", "queries"):
            (root / "schemas" / f"{name}.pbtxt").touch()
        self.write(log=LOG, items=ITEMS, users=USERS)
        self.raw: dict[str, Any] = {
            "name": "x",
            "workspace": str(root / "workspaces" / "x"),
            "data": {
                "schemas": str(root / "schemas"),
                "interactions": {"path": "log.csv", "query_id": "user_id", "candidate_id": "item_id"},
                "candidates": {"path": "items.csv", "candidate_id": "item_id", "features": {"title": "text"}},
                "queries": {"path": "users.csv", "query_id": "user_id", "features": {"age": "numeric"}},
            },
        }

    def write(self, **tables: str | bytes) -> Project:
        for name, content in tables.items():
            content = content.encode() if isinstance(content, str) else content
            (self.data / f"{name}.csv").write_bytes(content)
        return self

    def set(self, **data) -> Project:
        for key, value in data.items():
            if isinstance(value, dict) and key != "split":
                self.raw["data"][key].update(value)
            else:
                self.raw["data"][key] = value
        return self

    def check(self) -> preflight.PreflightReport:
        return preflight.check(parse_config(self.raw, "x.yaml"), self.data)

    def refusal(self, error: type[BadInputError] = DataError) -> str:
        with pytest.raises(error) as refused:
            self.check()
        assert refused.value.exit_code == ExitCode.BAD_INPUT
        assert "\n" not in str(refused.value)
        return str(refused.value)


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
    (project.root / "schemas" / "queries.pbtxt").unlink()
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
        ({"log": "user_id,item_id,timestamp\n"}, ["log.csv", "a header alone"]),
        (
            {"log": "user_id,item_id,timestamp\nu,i0,1\nu,i1,2\nu,i2,3\n"},
            ["column 'user_id'", "2 different", "only 'u'"],
        ),
        ({"log": "user_id,item_id,timestamp\nu,i0,1\nv,i1,2\nv,i2,3\n"}, ["at least 3 interactions", "leave_last_out"]),
        ({"log": LOG + "u0,none,9\n"}, ["column 'item_id'", "1 of 13", "items.csv lacks", "'none'", "0.05"]),
        ({"items": ITEMS + "i1,Again\n"}, ["items.csv, column 'item_id'", "'i1' in row 1 and again in row 4"]),
        ({"items": "item_id,title\ni0,Zero\n"}, ["items.csv", "at least 2 candidates", "got 1"]),
        ({"items": "item_id,title\n"}, ["items.csv", "at least 2 candidates", "got 0"]),
        ({"items": ITEMS + "".join(f"x{i},\n" for i in range(2000)) + ",\n"}, ["items.csv, row 2004", "a blank"]),
        ({"users": USERS + "u0,8\n"}, ["users.csv, column 'user_id'", "'u0' in row 0 and again in row 3"]),
        ({"users": "user_id,age\n"}, ["users.csv", "a header alone"]),
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
    (project.data / "items.xlsx").write_bytes(b"PK")
    project.set(candidates={"path": "items.xlsx"})
    sentence = project.refusal()
    assert "items.xlsx: expected a file name that ends in .csv, .csv.gz, .jsonl" in sentence
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


def test_long_logs_are_sampled(project):
    many = "".join(f"u{i % 7},i{i % 4},{i}\n" for i in range(5000))
    report = project.write(log="user_id,item_id,timestamp\n" + many + "bad row far down\n").check()
    assert len(report.interactions.sample) == 1000
    assert report.interactions.rows is None


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


def test_missing_schema(project):
    (project.root / "schemas" / "queries.pbtxt").unlink()
    sentence = project.refusal(ConfigError)
    assert "queries.pbtxt" in sentence
    assert "write one like those in schemas/movielens_100k" in sentence


def test_file_in_the_way_of_the_workspace(project):
    (project.root / "workspaces").write_text("")
    assert "a file in the way" in project.refusal(ConfigError)
    (project.root / "workspaces").unlink()
    (project.root / "workspaces").mkdir()
    (project.root / "workspaces" / "x").write_text("")
    assert "a file in the way" in project.refusal(ConfigError)


def test_read_only_workspace(project, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(preflight.tempfile, "TemporaryFile", refuse)
    sentence = project.refusal(ConfigError)
    assert "Permission denied" in sentence
    assert "set `workspace` to another folder" in sentence


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
