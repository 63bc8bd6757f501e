"""The time of a request: read, chosen and described."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import BadInputError
from shortlist.tables import as_of
from shortlist.tables.as_of import LogTimes

_NOW = 1_790_000_000
_DAY = 86_400
_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "dates", "order")


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2026-01-03T10:00:09Z", "seconds", 1_767_434_409),
        ("2026-01-03 10:00:09.9", "nanoseconds", 1_767_434_409),
        ("2026-01-03T12:00:09+02:00", "iso8601", 1_767_434_409),
        ("2026-01-03", "iso8601", 1_767_398_400),
        ("1767434409", "seconds", 1_767_434_409),
        ("1767434409999", "milliseconds", 1_767_434_409),
        ("2100-01-01", "milliseconds", 4_102_444_800),
        ("20260103", "dates", 1_767_398_400),
        ("2026-01-03", "dates", 1_767_398_400),
        ("12", "order", 12),
        ("0", "order", 0),
    ],
)
def test_a_time_is_iso_or_in_the_logs_unit(text, unit, expected):
    assert as_of.read_time(text, unit, "--at") == expected


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1767434409", "milliseconds", "or in milliseconds since 1970 as in the log, got '1767434409'"),
        ("1767434409", "iso8601", "a time in ISO 8601 such as 2026-01-31T12:00:00Z, got '1767434409'"),
        ("20260132", "dates", "or eight digits such as 20260131, got '20260132'"),
        ("2026-01-03", "order", "--at: expected a whole order number as in the log, 0 or more, got '2026-01-03'"),
        ("1.5", "order", "a whole order number"),
        ("2026-02-30", "seconds", "or in seconds since 1970"),
        ("", "seconds", "got ''"),
        ("now", "order", "a whole order number"),
    ],
)
def test_anything_else_is_refused_with_the_form_that_is_right(text, unit, expected):
    with pytest.raises(BadInputError) as error:
        as_of.given_as_of(text, unit, "--at", _NOW)
    assert expected in str(error.value)


def test_a_log_with_a_format_takes_it_or_iso():
    def read(text):
        return as_of.read_time(text, "iso8601", "--at", "%d.%m.%Y %H:%M")

    assert read("03.01.2026 10:00") == read("2026-01-03T10:00:00Z") == 1_767_434_400
    with pytest.raises(BadInputError, match=r"or in the log's format '%d.%m.%Y %H:%M', got '01/03/2026'"):
        read("01/03/2026")


@given(st.one_of(st.text(max_size=12), st.from_regex(r"-?[0-9.e+]{1,24}", fullmatch=True)), st.sampled_from(_UNITS))
def test_any_text_is_a_time_that_can_be_printed_or_is_refused(text, unit):
    try:
        given_time = as_of.given_as_of(text, unit, "--at", _NOW)
    except BadInputError:
        return
    assert 0 <= given_time.time < 2**63
    assert given_time.text


@pytest.mark.parametrize(
    ("log", "newest", "expected"),
    [
        # A log of today, or of 30 days ago: now.
        (LogTimes("seconds", _NOW - 5), _NOW - 400 * _DAY, _NOW),
        (LogTimes("iso8601", _NOW - 30 * _DAY), None, _NOW),
        # A clock that is ahead: an interaction of the future is still earlier than the request.
        (LogTimes("milliseconds", _NOW + 60), _NOW + 60, _NOW + 61),
        # A log of 31 days ago: just after the history.
        (LogTimes("seconds", _NOW - 31 * _DAY), 1_000_000_000, 1_000_000_001),
        (LogTimes("seconds", _NOW - 31 * _DAY), None, None),
        # Order numbers have no now, even if they look like times of today.
        (LogTimes("order", _NOW), 7, 8),
        (LogTimes("order", None), None, None),
    ],
)
def test_the_default_is_now_for_a_fresh_log_and_else_just_after_the_history(log, newest, expected):
    assert as_of.default_as_of(log, newest, _NOW).time == expected


def test_the_time_is_described():
    assert as_of.default_as_of(LogTimes("seconds", _NOW), None, _NOW).text == "now, 2026-09-21 14:13:20 UTC"
    assert as_of.default_as_of(LogTimes("order", 9), 7, _NOW).text == (
        "order number 8, just after the newest interaction of the history"
    )
    assert as_of.given_as_of("now", "seconds", "--at", _NOW).text == "now, 2026-09-21 14:13:20 UTC"
    assert "the end of the training data" in as_of.default_as_of(LogTimes("seconds", 5), None, _NOW).text
