"""`shortlist recommend` on a served stand-in, from the command line to the answer."""

from __future__ import annotations

import json
import pathlib
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from cli.app import app
from shortlist.errors import BadInputError
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import catalogue
from tests.components.indexer import stand_in

_SIZE = 30
# In the data, but not in the model; and an id that no option can carry without quotes.
_ITEMS = [*stand_in.candidate_ids(_SIZE), "item-new", 'item, "odd"']


def make_shop(root: pathlib.Path, kind: type[stand_in.StandIn] = stand_in.StandIn) -> pathlib.Path:
    """Writes a pushed model, its tables and its config."""
    trained = stand_in.save_stand_in(root / "trained", _SIZE, kind=kind)
    _, exact = stand_in.save_both_models(root, trained, 10, 5)
    shutil.copytree(exact, root / "workspace" / "serving" / "shop" / "1")
    items = "".join('"{}","Title of {}"\n'.format(*[item.replace('"', '""')] * 2) for item in _ITEMS)
    (root / "items.csv").write_text("id,name\n" + items)
    (root / "log.csv").write_text("user,item,time\nuser-1,item-3,1000000000\nuser-1,item-4,1000000300\n")
    config = {
        "name": "shop",
        "workspace": str(root / "elsewhere"),
        "data": {
            "schemas": str(root),
            "interactions": {"path": "log.csv", "query_id": "user", "candidate_id": "item", "timestamp": "time"},
            "candidates": {
                "path": "items.csv",
                "candidate_id": "id",
                "title": "name",
                "features": {"name": "text"},
            },
        },
    }
    (root / "shop.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def recommend(root, monkeypatch, capfd):
    """A function that runs the command in this process, and returns what it printed on stdout and stderr."""
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(root))

    def run(*arguments: str, shop: pathlib.Path = root) -> tuple[str, str]:
        monkeypatch.chdir(shop)
        command = ["recommend", "--config", "shop.yaml", "--set", f"workspace={shop / 'workspace'}"]
        app([*command, *arguments], standalone_mode=False)
        return capfd.readouterr()

    return run


def test_a_query_is_answered_with_its_history_and_its_time(recommend):
    out, err = recommend("--query", "user-1", "-k", "3")
    lines = out.splitlines()
    assert lines[0] == "Model:   shop version 1"
    assert lines[1] == "History: 2 interactions; the last: Title of item-3, Title of item-4"
    assert lines[2] == "As of:   2001-09-09 01:51:41 UTC, just after the newest interaction of the history"
    assert [line.split()[0] for line in lines[3:]] == ["rank", "1", "2", "3"]
    assert err == ""


def test_json_has_the_rows_alone_and_the_rest_is_on_stderr(recommend):
    out, err = recommend("--query", "user-77", "-k", "3", "--json")
    assert [row["rank"] for row in json.loads(out)] == [1, 2, 3]
    assert "Query 'user-77' is not in log.csv: answered as a new query" in err


def test_a_history_takes_any_id_and_names_what_the_model_lacks(recommend):
    repeated = recommend("--history", 'item, "odd"', "--history", "item-new", "--history", "item-3", "-k", "2")
    assert "History: 3 interactions" in repeated.out
    assert "The pushed model does not know 'item, \"odd\"', 'item-new'" in repeated.out
    assert recommend("--history", '"item, ""odd""",item-new, item-3', "-k", "2") == repeated


def test_an_unknown_id_of_a_history_is_left_out_as_in_python(recommend):
    out, _ = recommend("--history", "item-3,nope,no", "-k", "2")
    assert "History: 1 interaction" in out
    assert "The history's 'nope', 'no' are left out: not in items.csv." in " ".join(out.split())


def test_titles_and_ids_come_with_the_model(recommend, root):
    """The data may have changed since: the catalogue of the version counts."""
    schema = catalogue.schema("name", {})
    rows = [{"row": row, "id": item, "title": f"{item} then"} for row, item in enumerate(stand_in.candidate_ids(_SIZE))]
    path = root / "workspace/serving/shop/1" / CANDIDATES_FILE
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    try:
        out, _ = recommend("--history", "item-3", "-k", "2")
        assert "the last: item-3 then" in out
        assert all(line.rstrip().endswith("then") for line in out.splitlines()[-2:])
        lacking = " ".join(recommend("--history", "item-new").out.split())
        assert "The history's 'item-new' is left out: not in the catalogue of version 1." in lacking
    finally:
        path.unlink()


def test_the_time_of_the_request_reaches_the_model(recommend):
    # The stand-in adds to its scores if the time of the request is known.
    answers = [
        json.loads(recommend(*arguments, "--json").out)
        for arguments in (
            ("--history", "item-3@1000000000"),
            ("--history", "item-3", "--at", "2001-10-01"),
            ("--history", "item-3"),
        )
    ]
    timed, given, unknown = ([row["score"] for row in rows] for rows in answers)
    assert timed != unknown
    assert given != unknown


def test_features_of_the_request_reach_the_model(recommend, tmp_path):
    shop = make_shop(tmp_path, stand_in.RequestStandIn)
    # The stand-in adds to its scores by the hour.
    plain = recommend("--history", "item-3", shop=shop)
    assert "The pushed model also reads 'hour', 'since' of a request: give --context" in " ".join(plain.out.split())
    timed = recommend("--history", "item-3", "--context", "hour=80", "--context", "since=2001-10-01", shop=shop)
    assert "Note:" not in timed.out
    assert timed.out.splitlines()[-10:] != plain.out.splitlines()[-10:]
    empty = recommend("--history", "item-3", "--context", "hour=", "--context", "since=", shop=shop)
    assert empty.out.splitlines()[-10:] == plain.out.splitlines()[-10:]
    for argument, message in (
        ("minute=1", "the model has no context feature 'minute'; it has ['hour', 'since']"),
        ("hour=late", "--context hour: expected a finite number, got 'late'"),
    ):
        with pytest.raises(BadInputError) as error:
            recommend("--history", "item-3", "--context", argument, shop=shop)
        assert message in str(error.value)


def test_an_empty_history_is_a_new_query(recommend):
    out, _ = recommend("--history", "", "-k", "1")
    assert "History: 0 interactions; the last: none" in out
    assert "answered as a new query" in out
    assert "the end of the training data" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--history", '"item-3'), "expected ids separated by commas"),
        (("--history", "item-3", "--context", "hour"), "--context: expected NAME=VALUE, got 'hour'"),
        (("--history", "item-3", "--context", "hour=1", "--context", "hour=2"), "expected each name once"),
        (("--query", "user-1", "--at", "yesterday"), "--at: expected a time in ISO 8601"),
        (("--query", "user-1", "--history", "item-3"), "give either --query ID or --history"),
    ],
)
def test_a_wrong_option_is_refused(recommend, arguments, message):
    with pytest.raises(BadInputError) as error:
        recommend(*arguments)
    assert message in str(error.value)
