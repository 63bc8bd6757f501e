"""When to train again: each reason in one sentence."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cli.app import app
from server import online, request_log
from server.retraining import Day, Half, Observed, advise, duration
from shortlist.errors import BadInputError
from shortlist.model_files import HISTORIES_FILE
from shortlist.serving.measured_histories import MeasuredHistories, Quantiles
from tests.server.test_request_log import outcome_row, request_row

DAY = 86_400
FLAT = [Day(day, 1_000, 10) for day in range(5)]
EVEN = (Half(1_000, 100), Half(1_000, 100))
MEASURED = MeasuredHistories(500, 50, Quantiles(4, 20, 50), Quantiles(60, DAY, 3 * DAY))


LENGTHS, AGES = Quantiles(5, 20, 90), Quantiles(10, DAY, 2 * DAY)


def observed(days=FLAT, halves=EVEN, lengths=LENGTHS, ages=AGES):
    return Observed(days, halves, lengths, ages)


@pytest.mark.parametrize(
    ("seen", "is_due", "sentence"),
    [
        (
            observed(),
            False,
            "No reason to train again yet: 1.0% of the histories' items are unknown, and the histories are like those "
            "that it was measured on.",
        ),
        (
            observed(days=[Day(0, 1_000, 81)]),
            True,
            "Train again now with today's catalogue: the model does not know 8.1% of the histories' items, more than "
            "5%.",
        ),
        # 1, 2 and 3 of 100 unknown: one percent more each day, so that the line passes 5% two days after the last.
        (
            observed(days=[Day(day, 100, day) for day in (1, 2, 3)]),
            False,
            "Train again in about 2 days: unknown items, 2.0% of the histories so far, will pass 5% if they go on to "
            "rise.",
        ),
        # 2, 5 and 8 of 100: 5.0% over all days, but 8% by now.
        (
            observed(days=[Day(day, 100, unknown) for day, unknown in ((1, 2), (2, 5), (3, 8))]),
            True,
            "Train again now with today's catalogue: by their trend, more than 5% of the histories' items are unknown "
            "by now, 5.0% over all days.",
        ),
        # Too few items make no trend.
        (observed(days=[Day(day, 99, day) for day in (1, 2, 3)]), False, "No reason to train again yet: 2.0%"),
        # Wilson's intervals at 1,000 requests: 0.1 is 0.083 to 0.120, 0.06 is 0.047 to 0.076, 0.09 is to 0.109.
        (
            observed(halves=(Half(1_000, 100), Half(1_000, 60))),
            True,
            "Train again now: the hit rate within a day fell from 0.1000 to 0.0600 between its two halves.",
        ),
        (observed(halves=(Half(1_000, 100), Half(1_000, 90))), False, "No reason"),
        (observed(halves=(Half(1_000, 60), Half(1_000, 100))), False, "No reason"),
        (observed(halves=(Half(0, 0), Half(0, 0))), False, "No reason"),
        (
            observed(lengths=Quantiles(0, 3, 9)),
            True,
            "Train again, unless events arrive late or not at all: half of the histories have 3 items or fewer, 90% of "
            "the measured ones 4 or more.",
        ),
        # Longer ones are cut to the 50 items that the model reads.
        (observed(lengths=Quantiles(60, 200, 300)), False, "No reason"),
        (
            observed(ages=Quantiles(1, 4 * DAY, 9 * DAY)),
            True,
            "Train again, unless events arrive late or not at all: half of the histories ended 4 days or longer before "
            "the request, 90% of the measured ones 3 days at most.",
        ),
        (observed(ages=None), False, "No reason"),
    ],
)
def test_a_reason_is_one_sentence(seen, is_due, sentence):
    found = advise(seen, MEASURED)
    assert found.sentence.startswith(sentence)
    assert found.is_due == is_due
    assert found.sentence.count(". ") == 0


def test_without_statistics_nothing_is_said_of_the_histories():
    found = advise(observed(lengths=Quantiles(0, 0, 0)), None)
    assert found.sentence == "No reason to train again yet: 1.0% of the histories' items are unknown."
    assert advise(Observed([], (Half(0, 0), Half(0, 0)), None, None), None).is_due is False


def test_durations_have_one_unit():
    assert [duration(seconds) for seconds in (5, 60, 90, 7_200, 2.5 * DAY)] == [
        "5 seconds",
        "1 minute",
        "1.5 minutes",
        "2 hours",
        "2.5 days",
    ]


def test_statistics_of_windows_are_written_and_read(tmp_path):
    # Lengths 0 to 10, so that 10% are below 1 and 90% below 9; ages 10 to 100, without the empty history.
    windows = [
        {"history_ids": ["x"] * size, "history_times": [1_000 - 10 * size] * size, "query_time": [1_000]}
        for size in range(11)
    ]
    found = MeasuredHistories.of_windows(windows)
    assert found == MeasuredHistories(11, 10, Quantiles(1, 5, 9), Quantiles(19, 55, 91))
    # Without times there is no age.
    untimed = [{"history_ids": ["x"], "history_times": [0], "query_time": []}]
    assert MeasuredHistories.of_windows(untimed).newest_age is None
    assert MeasuredHistories.of_windows([]) is None
    path = tmp_path / HISTORIES_FILE
    assert MeasuredHistories.of_version(tmp_path) is None
    path.parent.mkdir()
    path.write_text(found.to_json())
    assert MeasuredHistories.of_version(tmp_path) == found
    for content in (
        found.to_json().replace('"format_version": 1', '"format_version": 2'),
        "{",
        '{"format_version": 1}',
    ):
        path.write_text(content)
        with pytest.raises(BadInputError):
            MeasuredHistories.of_version(tmp_path)


def test_the_command_puts_both_side_by_side(tmp_path):
    rows = [request_row(number, unknown=0) | {"query": None, "time": number * DAY} for number in range(4)]
    request_log.write(tmp_path, "requests", rows)
    # Of the first three, whose day is over, the second was followed within a day and the third later.
    late = outcome_row(2) | {"time": 4 * DAY}
    request_log.write(tmp_path, "outcomes", [outcome_row(1) | {"time": DAY + 1}, late])
    version = tmp_path / "serving" / "1"
    (version / HISTORIES_FILE).parent.mkdir(parents=True)
    (version / HISTORIES_FILE).write_text(MEASURED.to_json())
    [found] = online.measure(tmp_path, (), tmp_path / "serving")
    assert found.observed.halves == (Half(1, 0), Half(2, 1))
    assert [(day.day, day.items, day.unknown) for day in found.observed.days] == [(day, 4, 0) for day in range(4)]
    assert (found.hits, found.measured) == (2, MEASURED)
    assert online.measure(tmp_path, (), version)[0].measured == MEASURED
    done = CliRunner().invoke(app, ["online", "--log", str(tmp_path), "--model", str(tmp_path / "serving")])
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "items 4, 4, 4 4, 20, 50" in lines
    assert "since the newest item 18 seconds, 1.5 minutes, 2.7 minutes 1 minute, 1 day, 3 days" in lines
    assert lines[-1].startswith("No reason to train again yet: 0.0% of the histories' items are unknown, and")
    as_json = CliRunner().invoke(app, ["online", "--log", str(tmp_path), "--model", str(version), "--json"])
    [row] = json.loads(as_json.output)
    assert (row["train_again"], row["history_length"]["p50"], row["measured_history_length"]["p90"]) == (False, 4, 50)
