"""The preflight of tables in other formats: the same report, and the unit of times in any format."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.shortlist.project import ITEMS, USERS, Project
from tests.shortlist.tables import formats
from tests.shortlist.tables.tables import parquet_bytes

COLUMNS = ["user_id", "item_id", "timestamp"]


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def rows(*times):
    return [[f"u{u}", f"i{i}", times[(u + i) % len(times)]] for u in range(3) for i in range(4)]


@pytest.mark.parametrize("name", formats.files(COLUMNS, rows("5")))
def test_each_format_passes_the_preflight(project, name):
    content, options = formats.files(COLUMNS, rows("5", "6"))[name]
    project.file(name, content).set(interactions={"path": name} | options)
    report = project.check()
    assert (report.interactions.rows, report.interactions.columns) == (12, tuple(COLUMNS))
    assert report.timestamp_unit == "order"


def test_each_table_has_its_own_format(project):
    lines = [line.split(",") for line in ITEMS.split()]
    project.file("items.xlsx", formats.workbook(lines[0], lines[1:]))
    project.file("users.dat", USERS.partition("\n")[2].replace(",", "::"))
    project.set(
        candidates={"path": "items.xlsx"}, queries={"path": "users.dat", "header": False, "columns": ["user_id", "age"]}
    )
    assert project.check().candidate_count == 4


@pytest.mark.parametrize(
    ("times", "options", "unit", "first"),
    [
        # 2023-11-30 is 19,691 days after 1970-01-01.
        (("20231130", "20231201"), {}, "dates", 19_691 * 86_400),
        (("20231130", "20231201"), {"timestamp_unit": "order"}, "order", 20231130),
        (("20231130", "20231201"), {"timestamp_unit": "dates"}, "dates", 19_691 * 86_400),
        (("30.11.2023", "1.12.2023"), {"timestamp_format": "%d.%m.%Y"}, "iso8601", 19_691 * 86_400),
        (("1701302400,0", "1701302401,0"), {"decimal": ","}, "seconds", 19_691 * 86_400),
        (("2023-11-30 00:00:00 UTC", "2023-12-01 00:00:00 UTC"), {}, "iso8601", 19_691 * 86_400),
    ],
)
def test_units(project, times, options, unit, first):
    project.file("log.tsv", formats.delimited(COLUMNS, rows(*times), "\t"))
    report = project.set(interactions={"path": "log.tsv"} | options).check()
    assert report.timestamp_unit == unit
    assert report.interactions.sample[0]["timestamp"] == [first]


@pytest.mark.parametrize(
    ("times", "remedy"),
    [
        (("12/1/2010 8:26", "12/2/2010 9:01"), 'set data.interactions.timestamp_format to "%m/%d/%Y %H:%M" or "%d/%m'),
        (("12/1/2010 8:26", "12/13/2010 9:01"), 'set data.interactions.timestamp_format: "%m/%d/%Y %H:%M"'),
        (("Sun Jul 30 07:44:10 -0700 2017",), 'set data.interactions.timestamp_format: "%a %b %d %H:%M:%S %z %Y"'),
    ],
)
def test_times_that_need_a_format_are_answered_with_it(project, times, remedy):
    sentence = project.write(log=formats.delimited(COLUMNS, rows(*times))).refusal()
    assert remedy in sentence
    time_format = remedy.partition('"')[2].partition('"')[0]
    assert project.set(interactions={"timestamp_format": time_format}).check().timestamp_unit == "iso8601"


def test_an_empty_part_of_a_folder_has_no_rows(project):
    for number in (1, 3):
        project.file(f"log/part-{number}.csv", formats.delimited(COLUMNS, rows("5")))
    project.file("log/part-0.csv", "").file("log/part-2.csv", "").set(interactions={"path": "log"})
    report = project.check()
    assert (report.interactions.rows, report.interactions.columns) == (24, tuple(COLUMNS))


def test_columns_that_nobody_needs_stop_no_run(project):
    other = {
        "struct": pa.array([{"a": 1}] * 12),
        "map": pa.array([[("a", 1)]] * 12, pa.map_(pa.string(), pa.int64())),
        "nested": pa.array([[[1.0, float("nan")]]] * 12),
        "fixed": pa.array([[1, 2]] * 12, pa.list_(pa.int8(), 2)),
        "time": pa.array([1] * 12, pa.time64("us")),
    }
    needed = {name: [row[index] for row in rows(5)] for index, name in enumerate(COLUMNS)}
    project.file("log.parquet", parquet_bytes(needed | other)).set(interactions={"path": "log.parquet"})
    assert project.check().interactions.rows == 12
    lines = "".join(
        f'{{"user_id": "{user}", "item_id": "{item}", "timestamp": {time}, "a": {{"b": NaN}}, "c": [[1], Infinity]}}\n'
        for user, item, time in rows(5)
    )
    project.file("log.jsonl", lines).set(interactions={"path": "log.jsonl"})
    assert project.check().interactions.rows == 12
