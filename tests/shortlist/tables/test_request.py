"""Requests of `recommend`: a query of the log or a typed history, as of a time, with what is left out."""

import pytest

from shortlist.config.load import parse_config
from shortlist.errors import BadInputError
from shortlist.tables import lookup, request

_NOW = 1_790_000_000
_DAY = 86_400


@pytest.fixture
def shop(tmp_path):
    """A function that writes tables, and returns the config's section and the root."""

    def write(rows, **interactions):
        (tmp_path / "log.csv").write_text("user,item,time\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        (tmp_path / "items.csv").write_text('item\na\nb\nc\n"toy, story"\n', encoding="utf-8")
        (tmp_path / "users.csv").write_text("user,age\nu,40\nnew,20\n", encoding="utf-8")
        log = {"path": "log.csv", "query_id": "user", "candidate_id": "item", "timestamp": "time", **interactions}
        config = {
            "name": "x",
            "workspace": "w",
            "model": {"query_tower": {"kind": "features"}},
            "data": {
                "schemas": "s",
                "split": {"kind": "random"},
                "interactions": log,
                "candidates": {"path": "items.csv", "candidate_id": "item"},
                "queries": {"path": "users.csv", "query_id": "user", "features": {"age": "numeric"}},
            },
        }
        return parse_config(config, "x.yaml").data, tmp_path

    return write


def _of_query(shop, query_id, at=None):
    data, root = shop
    return request.of_query(data, root, query_id, lookup.candidate_titles(data, root), at, _NOW)


def _of_history(shop, *values, at=None):
    data, root = shop
    return request.of_history(data, root, values, lookup.candidate_titles(data, root), at, _NOW)


def test_an_old_log_is_answered_just_after_the_history(shop):
    found = _of_query(shop(["u,a,1000000000", "u,b,1000000300", "v,a,1000900000"]), "u")
    assert found.query.history == [("a", 1_000_000_000), ("b", 1_000_000_300)]
    assert found.as_of.time == 1_000_000_301
    assert found.as_of.text == "2001-09-09 01:51:41 UTC, just after the newest interaction of the history"
    assert found.notes == ()


def test_a_fresh_log_is_answered_as_of_now(shop):
    # The newest row is another query's, 29 days old, on the machine's own clock.
    import time

    recent = int(time.time()) - 29 * _DAY
    data, root = shop(["u,a,1000000000", f"v,a,{recent}"], timestamp_unit="seconds")
    now = recent + 29 * _DAY
    titles = lookup.candidate_titles(data, root)
    assert request.of_query(data, root, "u", titles, None, now).as_of.time == now
    assert request.of_history(data, root, ["a@2001-09-09"], titles, None, now).as_of.time == now
    assert request.of_query(data, root, "u", titles, None, now + 2 * _DAY).as_of.time == 1_000_000_001


def test_order_numbers_go_on_after_the_last(shop):
    found = _of_query(shop(["u,a,1", "u,b,2", "v,a,1"]), "u")
    assert (found.as_of.time, found.as_of.text.split(",")[0]) == (3, "order number 3")
    assert _of_history(shop(["u,a,1", "u,b,2"]), "a@4,b@6").as_of.time == 7


def test_a_time_that_is_given_ends_the_history(shop):
    tables = shop(["u,a,1000000000", "u,b,1000000300", "u,c,1000000400"])
    found = _of_query(tables, "u", at="2001-09-09T01:51:40Z")  # 1000000300
    assert found.query.history == [("a", 1_000_000_000)]
    assert found.as_of.time == 1_000_000_300
    assert found.notes == ("2 interactions at or after this time are left out.",)
    assert _of_query(tables, "u", at="1000000301").query.history[-1] == ("b", 1_000_000_300)
    assert _of_query(tables, "u", at="now").as_of.time == _NOW


def test_a_log_with_a_format_is_asked_in_it(shop):
    tables = shop(["u,a,03.01.2026 10:00", "u,b,04.01.2026 10:00"], timestamp_format="%d.%m.%Y %H:%M")
    found = _of_query(tables, "u", at="04.01.2026 10:00")
    assert found.query.history == [("a", 1_767_434_400)]
    assert found.as_of.text == "2026-01-04 10:00:00 UTC"


def test_an_unknown_query_is_a_new_one_and_said_so(shop):
    tables = shop(["u,a,1000000000"])
    found = _of_query(tables, "new")
    assert (found.query.history, found.query.features, found.as_of.time) == ([], {"age": [20.0]}, None)
    assert found.notes == (
        "Query 'new' is not in log.csv: answered as a new query, with its features in users.csv and no history.",
    )
    assert "with no features and no history" in _of_query(tables, "nobody").notes[0]


def test_interactions_outside_of_the_catalogue_are_named(shop):
    found = _of_query(shop(["u,a,1000000000", "u,gone,1000000001", "u,b,1000000002"]), "u")
    assert [item for item, _ in found.query.history] == ["a", "b"]
    assert found.notes == ("Interactions with 'gone' are left out: not in items.csv.",)


def test_a_typed_history_has_times_in_iso_or_the_logs_unit(shop):
    tables = shop(["u,a,1000000000"])
    found = _of_history(tables, "a@2001-09-09T01:46:40Z,b@1000000300", "toy, story@1000000400")
    assert found.query.history == [("a", 1_000_000_000), ("b", 1_000_000_300), ("toy, story", 1_000_000_400)]
    assert found.as_of.time == 1_000_000_401
    assert found.query.query_id is None


def test_a_history_without_times_does_not_need_the_log(shop):
    data, root = shop(["u,a,1000000000"])
    (root / "log.csv").unlink()
    found = _of_history((data, root), "a,b")
    assert (found.query.history, found.as_of.time) == ([("a", 0), ("b", 0)], None)
    empty = _of_history((data, root), "")
    assert (empty.query.history, empty.notes) == ([], ("The history is empty: answered as a new query.",))


def test_unknown_ids_of_a_typed_history_are_left_out_with_a_note(shop):
    tables = shop(["u,a,1000000000"])
    found = _of_history(tables, "a,gone,b")
    assert found.query.history == [("a", 0), ("b", 0)]
    [note] = found.notes
    assert note.startswith("The history's 'gone' is left out: not in items.csv.")
    left, empty = _of_history(tables, "gone,lost").notes
    assert left.startswith("The history's 'gone', 'lost' are left out")
    assert empty == "The history is empty: answered as a new query."


def test_a_typed_history_after_the_time_that_is_given_is_refused(shop):
    tables = shop(["u,a,1000000000"])
    assert _of_history(tables, "a@1000000300", at="1000000300").as_of.time == 1_000_000_300
    with pytest.raises(BadInputError) as error:
        _of_history(tables, "a@1000000300", at="1000000299")
    assert str(error.value) == (
        "--history: expected times until --at, 2001-09-09 01:51:39 UTC, got 2001-09-09 01:51:40 UTC"
    )


def test_times_for_a_log_without_times_are_refused(shop):
    tables = shop(["u,a,"], timestamp=None)
    assert _of_query(tables, "u").as_of.time is None
    for ask in (lambda: _of_query(tables, "u", at="5"), lambda: _of_history(tables, "a@5")):
        with pytest.raises(BadInputError, match=r"data\.interactions\.timestamp is null"):
            ask()
