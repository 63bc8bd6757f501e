"""Any table is guessed or refused in one sentence: no other exception, and no config that cannot be loaded."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.config import load
from shortlist.errors import BadInputError
from shortlist.infer import Hints, guess_config, tables
from shortlist.infer.write import config_text, schema_text
from shortlist.tables import preflight

_NAMES = st.sampled_from(
    [
        *(
            "user_id",
            "item_id",
            "timestamp",
            "rating",
            "order_id",
            "event_type",
            "click",
            "date",
            "session_id",
            "title",
        ),
        *("User Name", "größe", "a", "", "self", "name", "timestamp_nanos", "query_id", "quantity", "order_number"),
        *('quo"te', "back\\slash", "semi;colon", "[b]", "None", "col", "x" * 300, "0", "日付", "category_id"),
    ]
)
_CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "NA", "NULL", "\\N", "1", "0", "-1", "0.5", "1e5", "2,5", "u1", "u2", "p1", "007", "true"]
    ),
    st.sampled_from(
        ["1600000000", "1600000000000", "20231114", "2023-11-14", "2023-11-14T10:00:00Z", "11/14/2023", "14.11.2023"]
    ),
    st.sampled_from(["view", "purchase", "a|b", "x;y", "Café", "[/red]", '"', "\u202e", "9" * 40, "1e400", "-0", "١٢"]),
    st.text(max_size=8).map(lambda text: text.replace("\0", "")),  # Python's writer of CSV refuses NUL.
)


@st.composite
def random_tables(draw):
    """A header, and rows of columns that repeat a few cells, as columns of logs do."""
    header = draw(st.lists(_NAMES, min_size=1, max_size=7))
    count = draw(st.integers(0, 60))
    columns = []
    for _ in header:
        values = draw(st.lists(_CELLS, min_size=1, max_size=12))
        places = draw(st.lists(st.integers(0, len(values) - 1), min_size=count, max_size=count))
        columns.append([values[place] for place in places])
    return header, [list(row) for row in zip(*columns, strict=True)]


def refusal(function, *arguments):
    """Returns the sentence with which a call refuses its input; empty if it does not."""
    try:
        function(*arguments)
    except BadInputError as error:
        return str(error)
    return ""


def write_guess(folder, name):
    """Guesses, and writes what `schema infer` would write."""
    guess = guess_config(name, None, None, folder, Hints())
    text = config_text(guess, "any", folder / "schemas", folder / "any.yaml")
    for table, found in guess.tables.items():
        assert schema_text(table, found)
    (folder / "any.yaml").write_text(text, encoding="utf-8")


def check(folder, name):
    """Asserts that a file is refused in a sentence, or that its config can be loaded and checked."""
    sentence = refusal(write_guess, folder, name)
    if not sentence:
        config = load.load_config(folder / "any.yaml")
        sentence = refusal(preflight.check_tables, config, folder)
    assert "\n" not in sentence


_SETTINGS = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@_SETTINGS
@given(random_tables(), st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_any_delimited_text(tmp_path, table, delimiter, encoding):
    header, rows = table
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    (tmp_path / "log.csv").write_bytes(file.getvalue().encode(encoding, errors="replace"))
    check(tmp_path, "log.csv")


_JSON = st.one_of(
    _CELLS, st.integers(), st.floats(allow_nan=False), st.none(), st.booleans(), st.lists(_CELLS, max_size=3)
)


@_SETTINGS
@given(
    st.lists(
        st.dictionaries(_NAMES, st.one_of(_JSON, st.dictionaries(_NAMES, _JSON, max_size=2)), max_size=6), max_size=40
    )
)
def test_any_json_lines(tmp_path, rows):
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    check(tmp_path, "log.jsonl")


@_SETTINGS
@given(st.binary(max_size=400), st.sampled_from(["log.csv", "log.txt", "log.json", "log.tsv", "log.zip", "log.xlsx"]))
def test_any_bytes(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    check(tmp_path, name)


@pytest.mark.parametrize(
    "lines",
    ["a\n", "a,b\n", "\n\n\n", "1:\n", "1:\n2,3\n", ",,,\n,,,\n", "\ufeff", "::\n::\n", "0 1\n0 1 2\n0 1 2 3\n"],
)
def test_short_files(tmp_path, lines):
    (tmp_path / "log.csv").write_text(lines, encoding="utf-8")
    check(tmp_path, "log.csv")


def test_the_sample_is_bounded_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_MAX_BYTES", 4_000)
    rows = "".join(f"u{row % 20},p{row % 30},{1_600_000_000 + row}\n" for row in range(1_000))
    (tmp_path / "log.csv").write_text(f"user_id,item_id,timestamp\n{rows}", encoding="utf-8")
    guess = guess_config("log.csv", None, None, tmp_path, Hints())
    assert "the first ones" in guess.profile[0]
    assert int(guess.profile[0].split()[1]) < 300
    assert guess.size.rows == pytest.approx(1_000, rel=0.02)


def test_a_header_of_many_columns_is_not_printed(tmp_path):
    names = ",".join(f"value_{place}" for place in range(9_000))
    (tmp_path / "log.csv").write_text(f"{names}\n" + "a,b," * 4_499 + "a,b\n", encoding="utf-8")
    sentence = refusal(write_guess, tmp_path, "log.csv")
    assert 0 < len(sentence) < 4_000
    assert "more" in sentence
