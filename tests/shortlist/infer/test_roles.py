"""Roles of columns by name and by values, and what is said of the runner-up."""

from __future__ import annotations

import csv
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from shortlist.config.features import FeatureType
from shortlist.errors import ConfigError, DataError
from shortlist.infer import Hints, TextOptions, guess_config
from shortlist.infer.columns import InferredColumn, determines
from tests.shortlist.infer.kinds import EVENTS, START


def guess(tmp_path, columns, hints=None, catalogue=None, name="log.csv"):
    """Returns the guess about a log with a function from an event to a cell for each column."""
    path = tmp_path / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[cell(event) for cell in columns.values()] for event in EVENTS])
    return guess_config(path.name, catalogue, None, tmp_path, hints or Hints())


BASE = {"user_id": lambda e: f"u{e.user}", "item_id": lambda e: f"p{e.item}", "timestamp": lambda e: e.seconds}
NO_TIME = {"user_id": BASE["user_id"], "item_id": BASE["item_id"]}


def section(guessed):
    return guessed.tables["interactions"].section


@pytest.mark.parametrize(
    ("other", "cell", "fault"),
    [
        ("release_date", lambda e: f"19{10 + e.item}-01-01", "another time"),
        ("published_at", lambda e: 1_400_000_000 + e.item, "another time"),
        ("created", lambda e: f"2019-01-{1 + e.item % 28:02d}", "fixed for each item_id"),
        ("registered_at", lambda e: 1_500_000_000 + e.user, "another time"),
        ("since", lambda e: f"2018-02-{1 + e.user % 28:02d}", "fixed for each user_id"),
    ],
)
def test_a_time_of_a_user_or_an_item_is_not_the_interactions_time(tmp_path, other, cell, fault):
    columns = {other: cell, **NO_TIME, "watched": lambda e: e.seconds}
    guessed = guess(tmp_path, columns)
    assert section(guessed)["timestamp"] == "watched"
    assert any(f"Not the time: {other}" in reason and fault in reason for reason in guessed.reasons)
    # And alone it is none either.
    with pytest.raises(ConfigError, match=f"times, got none among {other}; not {other} .* --timestamp none"):
        guess(tmp_path, {other: cell, **NO_TIME})


@pytest.mark.parametrize(
    ("name", "period"), [("hour", 24), ("order_dow", 7), ("month", 12), ("minute_of_hour", 60), ("day_of_week", 7)]
)
def test_a_number_that_returns_is_no_time(tmp_path, name, period):
    columns = {**NO_TIME, name: lambda e: e.seconds // 3_600 % period}
    with pytest.raises(ConfigError, match="a column of the interactions' times, got none"):
        guess(tmp_path, columns)


def test_the_number_of_an_order_is_a_time_and_its_id_is_none(tmp_path):
    columns = {
        "order_id": lambda e: 900_000 - e.seconds // 100_000 - e.user,
        **NO_TIME,
        "order_number": lambda e: 1 + e.seconds // 100_000 - START // 100_000,
    }
    guessed = guess(tmp_path, columns)
    assert section(guessed)["timestamp"] == "order_number"
    assert section(guessed)["timestamp_unit"] == "order"


def test_a_named_rating_is_warned_of_as_a_time(tmp_path):
    guessed = guess(tmp_path, {**NO_TIME, "rating": lambda e: e.rating}, Hints(timestamp="rating"))
    assert any("rating looks like a rating" in warning for warning in guessed.warnings)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        # Filled in one row of 30, and in each row: neither groups anything.
        ("order_id", lambda e: e.seconds if e.seconds // 9_000 % 30 == 0 else ""),
        ("transaction_id", lambda e: e.seconds),
        # The same for many users.
        ("basket_code", lambda e: e.seconds // 2_000_000),
    ],
)
def test_a_column_that_groups_no_rows_of_one_query_is_no_basket(tmp_path, name, cell):
    assert guess(tmp_path, {**BASE, name: cell}).split == "leave_last_out"


def test_two_ids_that_fit_equally_well_are_a_question(tmp_path):
    columns = {"customer_id": BASE["user_id"], "customer_unique_id": BASE["user_id"], **BASE}
    del columns["user_id"]
    with pytest.raises(ConfigError, match="--query-id customer_id or --query-id customer_unique_id"):
        guess(tmp_path, columns)


@pytest.mark.parametrize("null", ["NA", "NULL", "None", "\\N"])
def test_texts_that_look_like_null_are_named_and_filtered(tmp_path, null):
    columns = {**BASE, "user_id": lambda e: null if e.seconds // 9_000 % 5 == 0 else f"u{e.user}"}
    guessed = guess(tmp_path, columns)
    assert f"null-like   user_id: {null}" in "\n".join(guessed.profile)
    escaped = null.replace("\\", "\\\\")
    assert section(guessed)["filter"] == f'user_id != "{escaped}"'


def test_what_differs_between_the_rows_of_an_id_is_no_feature(tmp_path):
    columns = {
        **BASE,
        "text": lambda e: f"words of row {e.seconds}",
        "verified": lambda e: e.seconds // 9_000 % 20 != 0,  # 95% have one value, whatever the id.
        "vote": lambda e: "" if e.seconds // 9_000 % 9 else e.user,
        "city": lambda e: f"city {e.user % 7}",
        "genre": lambda e: f"genre {e.item % 5}",
    }
    guessed = guess(tmp_path, columns)
    assert guessed.tables["queries"].types == {"city": FeatureType.CATEGORY}
    assert guessed.tables["candidates"].types == {"genre": FeatureType.CATEGORY}


def test_determination_is_judged_against_chance():
    ids = [f"u{row % 20}" for row in range(200)]
    mostly_yes = ["no" if row % 19 == 0 else "yes" for row in range(200)]
    own = [f"v{row % 20 % 3}" for row in range(200)]
    key, rare, fixed = (InferredColumn("c", texts, is_time=False) for texts in (ids, mostly_yes, own))
    assert determines(key, fixed)
    assert not determines(key, rare)


CATALOGUE = [
    {
        "item_id": f"p{item}",
        "title": f"The thing {item} for the home",
        "released": f"2015-{1 + item % 12:02d}-01",
        "in_stock": item % 3 == 0,
        "department_no": 100 + item % 7,
        "price": item + 0.5,
        "url": f"http://x/{item}",
    }
    for item in range(1, 81)
]
TYPES = {
    "title": FeatureType.TEXT,
    "released": FeatureType.TIMESTAMP,
    "in_stock": FeatureType.CATEGORY,
    "department_no": FeatureType.CATEGORY,
    "price": FeatureType.NUMERIC,
}


def catalogue_csv(path):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CATALOGUE[0])
        writer.writeheader()
        writer.writerows(CATALOGUE)


def catalogue_jsonl(path):
    path.write_text("".join(json.dumps(row) + "\n" for row in CATALOGUE), encoding="utf-8")


def catalogue_parquet(path):
    pyarrow.parquet.write_table(pa.Table.from_pylist(CATALOGUE), path)


@pytest.mark.parametrize(
    ("ending", "write"), [("csv", catalogue_csv), ("jsonl", catalogue_jsonl), ("parquet", catalogue_parquet)]
)
def test_a_column_has_the_same_type_in_each_format(tmp_path, ending, write):
    write(tmp_path / f"items.{ending}")
    guessed = guess(tmp_path, BASE, catalogue=f"items.{ending}")
    assert guessed.tables["candidates"].types == TYPES
    assert any("url (nearly every row has a value of its own)" in reason for reason in guessed.reasons)


def test_vectors_and_objects_are_left_out_and_named(tmp_path):
    rows = [
        {**row, "vector": [0.5, item / 7, 1.25], "images": [{"url": "x"}], "size": {"w": 1}}
        for item, row in enumerate(CATALOGUE)
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    guessed = guess(tmp_path, BASE, catalogue="items.jsonl")
    assert guessed.tables["candidates"].types == TYPES
    said = "\n".join(guessed.reasons)
    assert "vector (its cells are vectors" in said
    assert "images (its cells are objects" in said
    assert "size (its cells are objects" in said


@pytest.mark.parametrize(
    "ids",
    [
        lambda e: f"B{e.item:09d}" if e.item % 2 else f"{e.item:010d}",  # A half begins with a letter.
        lambda e: -(2**60) - e.item if e.item % 2 else 2**60 + e.item,
        lambda e: e.item,
        lambda e: f"p{e.item}",
    ],
)
def test_ids_of_real_candidates_are_never_filtered(tmp_path, ids):
    assert "filter" not in section(guess(tmp_path, {**BASE, "item_id": ids}))


def test_a_filter_says_what_it_drops_and_a_guess_drops_less_than_a_tenth(tmp_path):
    codes = {**BASE, "item_id": lambda e: ("POST", "M")[e.item % 2] if e.item > 70 else str(10_000 + e.item)}
    guessed = guess(tmp_path, codes)
    rows = sum(event.item > 70 for event in EVENTS)
    assert 0 < rows < 0.1 * len(EVENTS)
    assert section(guessed)["filter"] == 'matches(item_id, "[^A-Za-z].*|.*[0-9]{3}.*")'
    assert any(f"it drops {rows} rows and all rows of 2 candidates" in reason for reason in guessed.reasons)
    many = {**BASE, "item_id": lambda e: f"X{e.item % 9}" if e.item % 4 == 0 else str(10_000 + e.item)}
    assert "filter" not in section(guess(tmp_path, many))


def test_times_out_of_range_are_counted_and_filtered(tmp_path):
    columns = {**BASE, "timestamp": lambda e: 0 if e.user == 3 else e.seconds}
    guessed = guess(tmp_path, columns)
    zeros = sum(event.user == 3 for event in EVENTS)
    assert section(guessed)["filter"] == "timestamp >= 631152000"
    assert any(f"{zeros} rows have a timestamp before 1990" in reason for reason in guessed.reasons)
    assert f"{zeros} out of range" in "\n".join(guessed.profile)


def test_a_file_without_a_header_is_named_by_position_and_values(tmp_path):
    (tmp_path / "log.csv").write_text("".join(f"u{e.user},p{e.item},{e.seconds}\n" for e in EVENTS), encoding="utf-8")
    with pytest.raises(
        ConfigError, match="name the 3 columns in their order, e.g. --columns user_id,item_id,timestamp"
    ):
        guess_config("log.csv", None, None, tmp_path, Hints())
    hints = Hints(text=TextOptions(columns=("user_id", "item_id", "timestamp")))
    named = section(guess_config("log.csv", None, None, tmp_path, hints))
    assert (named["header"], named["columns"]) == (False, ["user_id", "item_id", "timestamp"])


def test_a_header_of_names_that_are_also_values_is_no_data(tmp_path):
    (tmp_path / "log.csv").write_text(
        "user,item,time\n" + "".join(f"user,p{e.item},{e.seconds}\nu2,p{e.item},{e.seconds}\n" for e in EVENTS),
        encoding="utf-8",
    )
    assert section(guess_config("log.csv", None, None, tmp_path, Hints()))["query_id"] == "user"


def test_columns_that_do_not_fit_the_file_are_refused(tmp_path):
    (tmp_path / "log.csv").write_text("".join(f"u{e.user},p{e.item},{e.seconds}\n" for e in EVENTS), encoding="utf-8")
    with pytest.raises((ConfigError, DataError), match="fields|columns"):
        guess_config("log.csv", None, None, tmp_path, Hints(text=TextOptions(columns=("user_id", "item_id"))))


def test_another_encoding_is_guessed_and_an_example_is_shown(tmp_path):
    rows = "".join(f"u{e.user};Café {e.item};{e.seconds}\n" for e in EVENTS)
    (tmp_path / "log.csv").write_bytes(("user;item;time\n" + rows).encode("latin-1"))
    guessed = guess_config("log.csv", None, None, tmp_path, Hints())
    assert section(guessed)["encoding"] == "latin-1"
    assert section(guessed)["delimiter"] == ";"
    assert any("not UTF-8; read as latin-1" in reason and "Café" in reason for reason in guessed.reasons)


@pytest.mark.parametrize("later", ["return_date", "delivered_at", "arrival", "ship_date", "settled_date"])
def test_a_consequence_is_not_the_time(tmp_path, later):
    columns = {
        later: lambda e: f"{e.moment:%Y}-12-{1 + e.item % 28:02d}",
        **NO_TIME,
        "loan_date": lambda e: f"{e.moment:%Y-%m-%d}",
    }
    assert section(guess(tmp_path, columns))["timestamp"] == "loan_date"


def test_two_times_in_no_order_are_a_question(tmp_path):
    columns = {**NO_TIME, "event_time": lambda e: e.seconds, "page_time": lambda e: e.seconds + (-1) ** e.item * 50}
    with pytest.raises(ConfigError, match="--timestamp event_time or --timestamp page_time"):
        guess(tmp_path, columns)
    handled = {"server_time" if name == "page_time" else name: cell for name, cell in columns.items()}
    assert section(guess(tmp_path, handled))["timestamp"] == "event_time"


def test_a_column_of_few_values_is_no_id(tmp_path):
    columns = {"user_behavior_reason_start": lambda e: "abc"[e.item % 3], "session_id": lambda e: e.user, **BASE}
    del columns["user_id"]
    assert section(guess(tmp_path, columns))["query_id"] == "session_id"


def test_parts_of_a_date_are_no_time(tmp_path):
    columns = {
        **NO_TIME,
        "date_day": lambda e: e.moment.day,
        "date_month": lambda e: e.moment.month,
        "date_year": lambda e: e.moment.year,
    }
    with pytest.raises(ConfigError, match="join date_year, date_month, date_day into one column first"):
        guess(tmp_path, columns)


def test_two_units_in_one_column_are_refused(tmp_path):
    columns = {**BASE, "timestamp": lambda e: e.seconds * 1000 if e.user % 2 else e.seconds}
    with pytest.raises(ConfigError, match="expected times in one unit"):
        guess(tmp_path, columns)


@pytest.mark.parametrize("value", ["anonymous", "0"])
def test_a_placeholder_for_nobody_is_named(tmp_path, value):
    columns = {**BASE, "user_id": lambda e: value if e.seconds // 9_000 % 4 == 0 else e.user + 1}
    assert any(f'filter: user_id != "{value}"' in warning for warning in guess(tmp_path, columns).warnings)
    assert not guess(tmp_path, {**BASE, "user_id": lambda e: e.user}).warnings


def test_outcomes_are_named(tmp_path):
    columns = {
        **BASE,
        "status": lambda e: ("paid", "cancelled")[e.seconds // 9_000 % 7 == 0],
        "is_recommended": lambda e: e.seconds // 9_000 % 3 > 0,
        "type": lambda e: e.seconds // 9_000 % 3,
    }
    said = "\n".join(guess(tmp_path, columns).reasons)
    assert "status differs between rows ('paid'" in said
    assert "is_recommended differs between rows" in said
    assert "type looks like a type of interaction" in said


def test_a_time_of_the_day_beside_a_date_is_named(tmp_path):
    columns = {**NO_TIME, "Date": lambda e: f"{e.moment:%Y-%m-%d}", "Hour": lambda e: f"{e.moment:%H:%M}"}
    assert any("Hour has ('" in reason and "pandas" in reason for reason in guess(tmp_path, columns).reasons)


def test_what_an_order_has_is_no_feature_of_the_customer(tmp_path):
    # A customer has two orders at most, and all rows of an order have its channel.
    columns = {
        "customer_id": lambda e: e.user % 20 * 100 + e.seconds // 2_000_000,
        "order_id": lambda e: e.user % 20 * 100_000 + e.seconds // 1_000_000,
        "product_id": lambda e: e.item,
        "bought_at": lambda e: e.seconds // 1_000_000 * 1_000_000,
        "channel": lambda e: "abc"[(e.user % 20 + e.seconds // 1_000_000) % 3],
    }
    assert "queries" not in guess(tmp_path, columns).tables
    fixed = {**columns, "channel": lambda e: "abc"[(e.user % 20 + e.seconds // 2_000_000) % 3]}
    assert guess(tmp_path, fixed).tables["queries"].types == {"channel": FeatureType.CATEGORY}


def test_candidates_that_never_repeat_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="ids of candidates, which occur in several rows"):
        guess(tmp_path, {**BASE, "doc": lambda e: f"row {e.seconds}"}, Hints(candidate_id="doc"))


def test_a_catalogue_with_a_row_per_property_is_refused(tmp_path):
    rows = [f"p{item},{name},{item % 7}\n" for item in range(1, 81) for name in ("color", "size", "brand")]
    (tmp_path / "items.csv").write_text("item_id,property,value\n" + "".join(rows), encoding="utf-8")
    with pytest.raises(ConfigError, match="pivot_table"):
        guess(tmp_path, BASE, catalogue="items.csv")


def test_nested_columns_are_named_where_an_id_is_missing(tmp_path):
    rows = [{"session": e.user, "events": [{"aid": e.item, "ts": e.seconds}]} for e in EVENTS]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(ConfigError, match="events have objects or lists of objects as cells.*json_normalize"):
        guess_config("log.jsonl", None, None, tmp_path, Hints())


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("kunde_nr;artikel_nr;datum", ("kunde_nr", "artikel_nr", "datum")),
        ("id_usuario;id_producto;fecha", ("id_usuario", "id_producto", "fecha")),
        ("utilisateur;produit;date_achat", ("utilisateur", "produit", "date_achat")),
        ("клиент;товар;дата", ("клиент", "товар", "дата")),
    ],
)
def test_names_in_other_languages(tmp_path, header, roles):
    rows = "".join(f"{e.user};{e.item};{e.moment:%d.%m.%Y %H:%M}\n" for e in EVENTS)
    (tmp_path / "log.csv").write_text(f"{header}\n{rows}", encoding="utf-8")
    found = section(guess_config("log.csv", None, None, tmp_path, Hints()))
    assert (found["query_id"], found["candidate_id"], found["timestamp"]) == roles


LOG = "user_id,item_id,timestamp\n" + "".join(f"u{e.user},p{e.item},{e.seconds}\n" for e in EVENTS)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (f"# made by a program\n# on a day\n{LOG}".encode(), r"tail -n \+3 log.csv"),
        (f"Report of June\n\n{LOG}".encode(), r"tail -n \+2 log.csv"),
        (LOG.replace("\n", ",\n").replace("timestamp,", "timestamp").encode(), "each line ends with a delimiter"),
        (LOG.replace("p1,", "красная кружка,").encode("cp1251"), "--encoding cp1251 .*красная"),
        (LOG.replace("p1,", "青いランプ,").encode("shift_jis"), "--encoding shift_jis .*青いランプ"),
        (LOG.replace("p1,", "Café,").encode().replace("Café".encode(), b"Caf\xe9", 1), "UTF-8, as in most other lines"),
    ],
    ids=["comments", "title", "delimiter at the end", "cp1251", "shift_jis", "one byte"],
)
def test_texts_that_cannot_be_guessed_are_refused_with_the_line_that_helps(tmp_path, content, part):
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=part):
        guess_config("log.csv", None, None, tmp_path, Hints())


def test_a_file_of_any_name_is_read_as_text(tmp_path):
    (tmp_path / "current").write_text(LOG, encoding="utf-8")
    assert section(guess_config("current", None, None, tmp_path, Hints()))["format"] == "csv"


def test_fractions_of_a_second_in_a_parquet_log(tmp_path):
    table = pa.table(
        {
            "user_id": [e.user for e in EVENTS],
            "item_id": [e.item for e in EVENTS],
            "at": pa.array([e.seconds * 1000 + 123 for e in EVENTS], pa.timestamp("ms")),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet")
    guessed = guess_config("log.parquet", None, None, tmp_path, Hints())
    assert section(guessed)["timestamp"] == "at"
    assert "2020-09-13" in "\n".join(guessed.profile)


@pytest.mark.parametrize(
    ("hints", "part"),
    [
        (Hints(text=TextOptions(encoding="klingon")), "--encoding: .*klingon"),
        (Hints(text=TextOptions(encoding="\0")), "--encoding: "),
        (Hints(text=TextOptions(delimiter="")), "--delimiter: delimiter must not be empty"),
        (Hints(text=TextOptions(delimiter='"')), "--delimiter: "),
        (Hints(text=TextOptions(decimal=";")), "--decimal: expected"),
        (Hints(text=TextOptions(columns=())), "--columns: "),
        (Hints(text=TextOptions(columns=("a", "a"))), "--columns: "),
        (Hints(candidates_columns=("",)), "--candidates-columns: "),
        (Hints(timestamp_format="%Q"), "--timestamp-format: "),
        (Hints(timestamp_format="%H:%M"), "--timestamp-format: "),
    ],
)
def test_options_that_a_config_would_refuse(tmp_path, hints, part):
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    with pytest.raises(ConfigError, match=part):
        guess_config("log.csv", None, None, tmp_path, hints)


def test_two_times_with_fractions_are_ordered(tmp_path):
    table = pa.table(
        {
            "user_id": [e.user for e in EVENTS],
            "item_id": [e.item for e in EVENTS],
            "page_time": pa.array([e.seconds * 1000 + 123 + e.item for e in EVENTS], pa.timestamp("ms")),
            "event_time": pa.array([e.seconds * 1000 + 123 for e in EVENTS], pa.timestamp("ms")),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet")
    assert section(guess_config("log.parquet", None, None, tmp_path, Hints()))["timestamp"] == "event_time"


@pytest.mark.parametrize("name", ["log.zip", "log"])
def test_json_is_recognised_in_a_zip_file_and_under_any_name(tmp_path, name):
    rows = "".join(f'{{"user_id": "{e.user}", "item_id": "{e.item}", "timestamp": {e.seconds}}}\n' for e in EVENTS)
    if name == "log.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("log.jsonl", rows)
            archive.writestr("__MACOSX/._log.jsonl", "x")  # macOS adds it.
    else:
        (tmp_path / name).write_text(rows, encoding="utf-8")
    assert section(guess_config(name, None, None, tmp_path, Hints()))["query_id"] == "user_id"
