import pytest

from shortlist.config.load import parse_config
from shortlist.errors import DataError
from shortlist.tables import lookup
from shortlist.tables.as_of import LogTimes


@pytest.fixture
def data(tmp_path):
    (tmp_path / "log.csv").write_text("user,item,time\nu,b,2\nv,a,1\nu,a,1\nu,c,2\n", encoding="utf-8")
    (tmp_path / "items.csv").write_text("item,name\na,Ant\nb,\nc,Cät\n", encoding="utf-8")
    (tmp_path / "users.csv").write_text("user,age,town\nu,40,\n", encoding="utf-8")
    config = {
        "name": "x",
        "workspace": "w",
        "data": {
            "schemas": "s",
            "interactions": {"path": "log.csv", "query_id": "user", "candidate_id": "item", "timestamp": "time"},
            "candidates": {"path": "items.csv", "candidate_id": "item", "title": "name", "features": {"name": "text"}},
            "queries": {"path": "users.csv", "query_id": "user", "features": {"age": "numeric", "town": "category"}},
        },
    }
    return parse_config(config, "x.yaml").data


def _find(data, root, query_id):
    return lookup.Log(data, root).find(query_id, lookup.candidate_titles(data, root))[0]


def test_a_query_has_its_history_in_order_with_ties_in_file_order(data, tmp_path):
    query = _find(data, tmp_path, "u")
    assert query.history == [("a", 1), ("b", 2), ("c", 2)]
    assert query.features == {"age": [40.0], "town": []}


def test_interactions_within_a_second_are_in_order(data, tmp_path):
    first = 1_700_000_000_000
    rows = "".join(f"u,{item},{first + later}\n" for item, later in (("c", 900), ("b", 1000), ("a", 100)))
    (tmp_path / "log.csv").write_text("user,item,time\n" + rows, encoding="utf-8")
    assert [item for item, _ in _find(data, tmp_path, "u").history] == ["a", "c", "b"]


def test_a_query_without_a_row_of_features_has_none(data, tmp_path):
    assert _find(data, tmp_path, "v").features == {}


def test_an_unknown_query_has_no_history(data, tmp_path):
    query = _find(data, tmp_path, "w")
    assert (query.is_known, query.history, query.features) == (False, [], {})


def test_a_log_without_times_has_no_newest_row(data, tmp_path):
    untimed = data.model_copy(update={"interactions": data.interactions.model_copy(update={"timestamp": None})})
    query, times = lookup.Log(untimed, tmp_path).find("u", {"a", "b", "c"})
    assert query.history == [("b", 0), ("a", 0), ("c", 0)]
    assert times == lookup.Log(untimed, tmp_path).times() == LogTimes("order", None)


def test_titles_are_there_for_every_candidate(data, tmp_path):
    assert lookup.candidate_titles(data, tmp_path) == {"a": "Ant", "b": None, "c": "Cät"}


def test_a_missing_table_is_an_error_and_not_empty(data, tmp_path):
    (tmp_path / "log.csv").unlink()
    with pytest.raises(DataError, match=r"log\.csv: expected a file at .*, got nothing there"):
        _find(data, tmp_path, "u")
