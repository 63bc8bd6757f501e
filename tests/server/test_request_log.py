"""The request log, the metrics made from it, and what is forgotten."""

from __future__ import annotations

import json
import os
import pathlib
import threading

import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry, Counter
from typer.testing import CliRunner

from cli.app import app
from server import online, request_log
from shortlist.config.serve import Serve, ServeLog
from shortlist.errors import BadInputError
from shortlist.metrics import intervals
from tests.server import running

KEY = "a key of 24 characters.."


def make_log(folder, **settings):
    counter = Counter("dropped", "-", registry=CollectorRegistry())
    return request_log.RequestLog(ServeLog(folder=str(folder), flush_seconds=3_600, **settings), KEY.encode(), counter)


def request_row(number, ids=("a", "b"), version="1", variant="latest", length=4, unknown=0):
    return {
        "time": number,
        "request_id": f"r{number}",
        "version": version,
        "variant": variant,
        "k": 2,
        "rules": None,
        "history_length": length,
        "unknown_ids": unknown,
        "newest_age": 60 * number,
        "fallback": None,
        "ids": list(ids),
        "scores": [1.0] * len(ids),
    }


def outcome_row(number, candidate="a", event="click"):
    return {"time": number, "request_id": f"r{number}", "id": candidate, "event": event}


def read(folder, kind):
    return [row for path in request_log.files(folder, kind) for row in pq.read_table(path).to_pylist()]


def test_rows_that_come_while_a_file_is_written_are_not_lost_at_the_end(tmp_path, monkeypatch):
    log = make_log(tmp_path)
    write, is_writing, may_go_on = request_log.write, threading.Event(), threading.Event()

    def slow_write(*arguments):
        is_writing.set()
        assert may_go_on.wait(60)
        write(*arguments)

    monkeypatch.setattr(request_log, "write", slow_write)
    log.add_request(request_row(1), None)
    log._wake.set()
    assert is_writing.wait(60)
    log.add_request(request_row(2), None)
    log._is_over = True
    may_go_on.set()
    log.close()
    assert sorted(row["request_id"] for row in read(tmp_path, "requests")) == ["r1", "r2"]


def test_requests_and_outcomes_over_http_are_joined(model_folder, tmp_path):
    (tmp_path / "shop").mkdir()
    running.push(model_folder, tmp_path / "shop", 5)
    log = make_log(tmp_path / "log")
    with running.running(tmp_path / "shop", Serve(), log=log) as server:
        client = server.client()
        history = [{"id": "item-3", "time": 90}, {"id": "item-unknown"}]
        answers = [client.recommend(query=f"user-{number}", history=history, at=100, k=3) for number in range(4)]
        client.recommend(k=2, filter={"genre": {"any": ["Even"]}})
        liked = answers[0]["items"][1]["id"]
        body = {"request_id": answers[0]["request_id"], "id": liked, "event": "click"}
        assert client.post("/v1/outcome", body) == (200, {"in_sample": True})
        assert client.post("/v1/outcome", body | {"request_id": "no such/"})[0] == 400
        other = {"request_id": answers[1]["request_id"], "id": "item-3", "event": "click"}
        assert client.post("/v1/outcome", other)[0] == 200
    log.close()
    rows = read(tmp_path / "log", "requests")
    assert [row["ids"] for row in rows[:4]] == [[item["id"] for item in answer["items"]] for answer in answers]
    first = rows[0]
    assert (first["version"], first["variant"], first["history_length"], first["unknown_ids"]) == ("5", "latest", 2, 1)
    assert first["newest_age"] == 10
    assert first["query"] == request_log.hashed(KEY.encode(), "user-0")
    assert json.loads(rows[4]["rules"]) == {"filter": {"genre": {"any": ["Even"]}}}
    assert rows[4]["query"] is None
    assert "user-0" not in "".join(map(str, rows))
    [metrics] = online.measure(tmp_path / "log")
    # The second outcome is of a candidate that was not in the answer. 4 of the 8 items are unknown.
    assert (metrics.requests, metrics.hits, metrics.unknown_share, metrics.observed.lengths.p50) == (5, 1, 0.5, 2)
    assert metrics.advice.is_due


def test_without_a_log_there_are_no_outcomes(model_folder, tmp_path):
    (tmp_path / "shop").mkdir()
    running.push(model_folder, tmp_path / "shop", 5)
    with running.running(tmp_path / "shop", Serve()) as server:
        assert server.client().post("/v1/outcome", {"request_id": "a", "id": "b", "event": "c"})[0] == 404


def test_hit_rates_are_by_version_and_variant(tmp_path):
    rows = [request_row(number, version="1", variant="latest") for number in range(4)]
    rows += [request_row(number, version="2", variant="2", unknown=1) for number in range(4, 6)]
    request_log.write(tmp_path, "requests", [row | {"query": None} for row in rows])
    request_log.write(tmp_path, "outcomes", [outcome_row(0), outcome_row(0, "b"), outcome_row(1, "c"), outcome_row(4)])
    request_log.write(tmp_path, "outcomes", [outcome_row(2, "a", "view")])
    second, first = online.measure(tmp_path)
    assert (first.version, first.variant, first.requests, first.hits) == ("1", "latest", 4, 2)
    assert first.interval == intervals.wilson(0.5, 4)
    # Requests 0 to 3 have ages of 0 to 180 s.
    assert (first.unknown_share, first.observed.ages.p50) == (0.0, 90.0)
    assert (second.version, second.hits, second.unknown_share) == ("2", 1, 0.25)
    assert [metrics.hits for metrics in online.measure(tmp_path, ["click"])] == [1, 1]
    with pytest.raises(BadInputError, match="no requests"):
        online.measure(tmp_path / "nope")


def test_a_sample_has_the_outcomes_of_its_requests(tmp_path):
    log = make_log(tmp_path, sample=0.3)
    for number in range(1_000):
        log.add_request(request_row(number), None)
        log.add_outcome(outcome_row(number))
    log.close()
    requests = {row["request_id"] for row in read(tmp_path, "requests")}
    assert requests == {row["request_id"] for row in read(tmp_path, "outcomes")}
    # Three standard errors of 1,000 draws are 0.043.
    assert abs(len(requests) / 1_000 - 0.3) < 0.043


def test_old_and_surplus_files_are_deleted(tmp_path):
    log = make_log(tmp_path, max_mb=1, max_age_days=1)
    try:
        for age, name in ((90_000, "old"), (3_000, "large"), (2_000, "kept")):
            path = tmp_path / f"requests-1-{name}.parquet"
            path.write_bytes(b"x" * (600_000 if name != "old" else 1))
            os.utime(path, (path.stat().st_mtime - age,) * 2)
        log.flush()
        assert [path.name for path in request_log.files(tmp_path, "requests")] == ["requests-1-kept.parquet"]
    finally:
        (tmp_path / "requests-1-kept.parquet").unlink()
        log.close()


def test_a_query_is_forgotten_with_its_outcomes(tmp_path, monkeypatch):
    log = make_log(tmp_path)
    for number in range(4):
        log.add_request(request_row(number), "anna" if number < 2 else "bob")
        log.add_outcome(outcome_row(number))
    log.close()
    monkeypatch.setenv(request_log.KEY_VARIABLE, KEY)
    done = CliRunner().invoke(app, ["forget", "--log", str(tmp_path), "--query", "anna"])
    assert (done.exit_code, done.output) == (0, "4 rows deleted\n")
    assert {row["request_id"] for row in read(tmp_path, "requests")} == {"r2", "r3"}
    assert {row["request_id"] for row in read(tmp_path, "outcomes")} == {"r2", "r3"}
    assert request_log.forget(tmp_path, KEY.encode(), "bob") == 4
    assert os.listdir(tmp_path) == []


def test_to_forget_in_a_wrong_folder_or_a_damaged_file_is_an_error(tmp_path):
    with pytest.raises(BadInputError, match="nope: expected the folder of a request log, got no folder"):
        request_log.forget(tmp_path / "nope", KEY.encode(), "anna")
    (tmp_path / "requests-1-cut.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInputError, match=r"requests-1-cut\.parquet: expected a file of a request log"):
        request_log.forget(tmp_path, KEY.encode(), "anna")


def test_a_file_that_the_server_deletes_meanwhile_is_forgotten(tmp_path, monkeypatch):
    mine = [request_row(1) | {"query": request_log.hashed(KEY.encode(), "anna")}]
    request_log.write(tmp_path, "requests", mine)
    request_log.write(tmp_path, "requests", [*mine, request_row(2) | {"query": None}])
    [*whole] = request_log.files(tmp_path, "requests")
    read_table = pq.read_table

    def read_and_delete(path, **options):
        table = read_table(path, **options)
        path.unlink()
        return table

    monkeypatch.setattr(pq, "read_table", read_and_delete)
    assert request_log.forget(tmp_path, KEY.encode(), "anna") == 2
    assert len(whole) == 2
    assert os.listdir(tmp_path) == []


def test_the_command_prints_hit_rates(tmp_path):
    request_log.write(tmp_path, "requests", [request_row(0, unknown=1) | {"query": None}])
    done = CliRunner().invoke(app, ["online", "--log", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "hit rate" in done.output
    assert "the model does not know 25.0% of the histories' items" in " ".join(done.output.split())
    found = json.loads(CliRunner().invoke(app, ["online", "--log", str(tmp_path), "--json"]).output)
    assert found[0]["hit_rate"] == 0.0


def test_a_log_needs_a_key(monkeypatch):
    monkeypatch.setenv(request_log.KEY_VARIABLE, "short")
    with pytest.raises(BadInputError, match="a key of 16 or more characters in SHORTLIST_LOG_KEY, got 5 characters"):
        request_log.key_from_environment()


def test_the_log_goes_on_after_a_row_that_no_file_takes_and_a_file_that_cannot_be_deleted(tmp_path, monkeypatch):
    log, unlink = make_log(tmp_path), pathlib.Path.unlink

    def forbidden(path, **options):
        if path.suffix == ".parquet":
            raise PermissionError(13, "Permission denied")
        unlink(path, **options)

    try:
        # An error here would end the thread that writes, and no later row would be written. UTF-8 has no surrogates.
        log.add_request(request_row(1, ids=["\ud800"]), None)
        log.flush()
        assert log._dropped._value.get() == 1
        old = tmp_path / "requests-1-old.parquet"
        old.touch()
        os.utime(old, (0, 0))
        with monkeypatch.context() as patch:
            patch.setattr(pathlib.Path, "unlink", forbidden)
            log.add_request(request_row(2), None)
            log.flush()
        assert old.exists()
    finally:
        log.close()
    assert not old.exists()
    assert [row["request_id"] for row in read(tmp_path, "requests")] == ["r2"]


def test_requests_of_one_second_stay_in_their_order_between_the_halves(tmp_path):
    # The first two of four were hits. Sorted by hit within the second, the later half would have them.
    rows = [request_row(number) | {"time": 0, "query": None} for number in range(4)]
    request_log.write(tmp_path, "requests", [*rows, request_row(9) | {"time": 86_400, "query": None}])
    request_log.write(tmp_path, "outcomes", [outcome_row(0), outcome_row(1)])
    [metrics] = online.measure(tmp_path)
    assert [tuple(vars(half).values()) for half in metrics.observed.halves] == [(2, 2), (2, 0)]


def test_rows_that_cannot_be_written_are_counted(tmp_path):
    log = make_log(tmp_path / "log")
    try:
        log.add_request(request_row(1), None)
        (tmp_path / "log").rmdir()
        log.flush()
        assert log._dropped._value.get() == 1
    finally:
        (tmp_path / "log").mkdir()
        log.close()
