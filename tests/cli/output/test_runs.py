"""Tables of runs: the version that a training began from."""

import pathlib

from cli.output import runs
from shortlist.runs.record import Record
from shortlist.summary import Fingerprints, Metrics, Seconds, Status, Summary, WarmStartSummary

_METRICS = Metrics(overall={"factorized_top_k/top_10_categorical_accuracy": 0.25})


def _record(run_id, warm_start=None, metrics=_METRICS):
    summary = Summary(
        run_id=run_id,
        pipeline="shop",
        status=Status.PUSHED,
        metrics=metrics,
        warm_start=warm_start,
        seconds=Seconds(total=60.0, components={}),
        peak_rss_mb=1024.0,
        fingerprints=Fingerprints(data={}, config="", code=""),
    )
    return Record(run_id, "pushed", [], summary, pathlib.Path("/none"))


RECORDS = [
    _record("20261130T000004Z", WarmStartSummary(run_of="20261130T000003Z", version=1_700_000_003)),
    _record("20261130T000003Z", WarmStartSummary(run_of="20261130T000002Z")),
    _record("20261130T000002Z", WarmStartSummary(reason="no earlier model")),
    _record("20261130T000001Z"),
    _record("20261130T000000Z", metrics=None),
]


def _last_words(text):
    return [line.split()[-1] for line in text.splitlines() if line.startswith("20261130")]


def test_the_list_names_the_version_that_a_training_began_from(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    runs.print_list("shop", RECORDS, 20)
    assert _last_words(capsys.readouterr().out) == ["1700000003", "20261130T000002Z", "scratch", "scratch", "-"]


def test_without_warm_starts_there_is_no_such_column(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    runs.print_list("shop", RECORDS[3:], 20)
    assert "began from" not in capsys.readouterr().out


def test_a_comparison_names_it_too(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    runs.print_comparison("shop", RECORDS[:3])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("began from")]
    assert line.split()[2:] == ["1700000003", "20261130T000002Z", "scratch"]
