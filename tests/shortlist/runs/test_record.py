"""Records of all kinds of runs, also of those without files."""

from __future__ import annotations

import datetime

import pytest

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.errors import BadInputError
from shortlist.runs import filters
from shortlist.runs.record import find, records
from shortlist.workspace import Workspace


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    made = StoreWriter(tmp_path_factory.mktemp("runs") / "workspace")
    made.run(0, PUSHED)
    for number, ends in ENDS.items():
        made.run(number, ends)
    return made


def test_all_runs_the_latest_first_by_how_they_ended(maker):
    assert [record.status for record in records(maker.workspace)] == [
        *("killed", "refused", "index_rejected", "failed", "not_blessed", "pushed")
    ]


def test_run_that_left_nothing_but_its_folder(tmp_path):
    workspace = Workspace(tmp_path / "workspace", "shop")
    with pytest.raises(BadInputError, match="there is no run here yet"):
        records(workspace)
    run_id = workspace.start_run(datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
    (workspace.runs_dir / "latest").symlink_to(run_id)
    [record] = records(workspace)
    assert (record.status, record.reasons) == ("killed", ["its process died before its first node"])
    assert record.config() == {}


def test_second_run_of_a_second_comes_after_the_first(tmp_path):
    workspace = Workspace(tmp_path / "workspace", "shop")
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    typed = [workspace.start_run(now) for _ in range(11)]
    assert [record.run_id for record in records(workspace)] == typed[::-1]
    assert {record.started for record in records(workspace)} == {now}


def test_summary_of_a_newer_version_is_passed_over(maker):
    path = maker.workspace.run_dir("20260101T000000Z") / "summary.json"
    before = path.read_text()
    path.write_text('{"schema_version": 9}')
    try:
        assert records(maker.workspace)[-1].status == "pushed"
    finally:
        path.write_text(before)


def test_runs_by_name(maker):
    known = records(maker.workspace)
    assert [record.run_id for record in find(known, ["20260101T010000Z", "latest"])] == [
        "20260101T010000Z",
        "20260101T090000Z",
    ]
    with pytest.raises(BadInputError, match="there is no run 'x'; the latest are 20260101T090000Z"):
        find(known, ["x"])


def test_filters(maker):
    known = records(maker.workspace)
    started = datetime.datetime(2026, 1, 1, 5, tzinfo=datetime.timezone.utc)

    def statuses(*arguments):
        return [record.status for record in filters.matching(known, *arguments)]

    assert statuses(["killed", "pushed"], None, []) == ["killed", "pushed"]
    assert statuses([], started, []) == ["killed", "refused", "index_rejected"]
    assert statuses([], None, filters.read_where(["train.seed=1", "name=many-runs"])) == ["not_blessed"]
    assert statuses([], None, filters.read_where(["train.seed=1", "name=shop"])) == []
    assert statuses([], None, filters.read_where(["train.sead=1"])) == []


def test_times():
    now = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.timezone.utc)
    assert filters.read_since("7d", now).isoformat() == "2026-03-03T12:00:00+00:00"
    assert filters.read_since("12h", now).isoformat() == "2026-03-10T00:00:00+00:00"
    assert filters.read_since("2026-03-01", now).isoformat() == "2026-03-01T00:00:00+00:00"
    assert filters.read_since("2026-03-01T01:00+01:00", now) == filters.read_since("2026-03-01", now)


@pytest.mark.parametrize("text", ["yesterday", "7", "99999999999d", ""])
def test_times_that_are_none(text):
    with pytest.raises(BadInputError, match="expected a date"):
        filters.read_since(text, datetime.datetime(2026, 3, 10, tzinfo=datetime.timezone.utc))


def test_status_and_setting_that_are_none():
    with pytest.raises(BadInputError, match="--status 'gone': expected one of pushed, not_blessed"):
        filters.read_statuses(["gone"])
    for text in ("train.seed", "=1", "train.seed=["):
        with pytest.raises(BadInputError, match="--where"):
            filters.read_where([text])
