"""Bad data of every kind, in real files: the error names location, expectation, finding and remedy.

Faults below the rows that the preflight reads are found by the readers, see `test_readers.py`.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable

import pyarrow as pa
import pytest
import yaml

from shortlist.config.load import parse_config
from shortlist.errors import BadInputError
from tests.shortlist.project import ITEMS, USERS, Project
from tests.shortlist.tables.tables import parquet_bytes

ROOT = pathlib.Path(__file__).parents[2]
COLUMNS = ("user_id", "item_id", "timestamp")
HEADER = ",".join(COLUMNS) + "\n"
NOW = int(time.time())
ROWS = [(f"u{row % 3}", f"i{row // 3 % 4}", 881_250_949 + row) for row in range(60)]
LOG = HEADER + "".join(f"{user},{item},{seconds}\n" for user, item, seconds in ROWS)

# "where: expected what, got what; remedy", on one line.
SENTENCE = re.compile(r"(?P<where>[^:]+): expected (?P<expected>.+), got (?P<got>.+?); (?P<remedy>.+)")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path).write(log=LOG)


AGE = ", row 0 (from 0), line 2, column 'age'"


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault in the input, and the parts that the error must name."""

    spoil: Callable[[Project], object]
    where: str
    parts: tuple[str, ...]


def log(content: str | bytes, where: str, *parts: str, name: str = "log.csv") -> Case:
    return Case(lambda project: project.file(name, content).set(interactions={"path": name}), f"{name}{where}", parts)


def last_row(row: str, where: str, *parts: str) -> Case:
    return log(LOG + row + "\n", f", row 60 (from 0), line 62{where}", *parts)


def items(content: str | bytes, where: str, *parts: str, name: str = "items.csv") -> Case:
    return Case(lambda project: project.file(name, content).set(candidates={"path": name}), f"{name}{where}", parts)


def users(content: str | bytes, where: str, *parts: str) -> Case:
    return Case(lambda project: project.file("users.csv", content), f"users.csv{where}", parts)


def jsonl(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def log_columns() -> dict[str, list]:
    return {name: [row[index] for row in ROWS] for index, name in enumerate(COLUMNS)}


def parquet_log(where: str, *parts: str, **columns: object) -> Case:
    return log(parquet_bytes(log_columns() | columns), where, *parts, name="log.parquet")


def set_path(kind: str, path: str, where: str, *parts: str) -> Case:
    return Case(lambda project: project.set(**{kind: {"path": path}}), where, parts)


def folder_with_one_bad(project: Project) -> None:
    for part in range(40):
        project.file(f"log/part-{part:02}.csv", LOG)
    project.file("log/part-23.csv", LOG.replace("u0", "", 1)).set(interactions={"path": "log"})


def folder_with_one_truncated(project: Project) -> None:
    content = parquet_bytes(log_columns())
    for part in range(10):
        project.file(f"log/part-{part}.parquet", content[: -9 if part == 7 else None])
    project.set(interactions={"path": "log"})


PACKED = gzip.compress(LOG.encode(), mtime=0)
PARQUET = parquet_bytes(log_columns())

CASES = {
    "missing file": set_path("interactions", "lgo.csv", "lgo.csv", "a file at", "did you mean 'log.csv'?"),
    "missing pattern": set_path("candidates", "items-*.csv", "items-*.csv", "a file at", "data.candidates.path"),
    "no format": items("<", "", "ends in .csv", "'items.xml'", "data.candidates.format", name="items.xml"),
    "empty csv": log("", "", "at least one row", "an empty file"),
    "empty gz": log(gzip.compress(b""), "", "an empty file", name="log.csv.gz"),
    "empty jsonl": log("", "", "at least one row", name="log.jsonl"),
    "empty parquet": log(b"", "", "a whole Parquet file", name="log.parquet"),
    "header only": log(HEADER, "", "at least one row", "only a header"),
    "header only catalogue": items("item_id,title\n", "", "at least 2 candidates", "got 0"),
    "header only queries": users("user_id,age\n", "", "at least one row", "data.queries"),
    "no rows in parquet": parquet_log("", "at least one row", **{name: pa.array([], pa.string()) for name in COLUMNS}),
    "missing column": log(LOG.replace("item_id", "item"), "", "a column 'item_id'", "did you mean 'item'?"),
    "missing key": log(jsonl({"user": "u", "item_id": "i"}), "", "a column 'user_id'", "'user'", name="log.jsonl"),
    "missing feature": items(
        "item_id,titel\ni0,x\n", "", "'title'", "data.candidates.features.title.column", "'titel'"
    ),
    "repeated column": log(LOG.replace("timestamp", "item_id", 1), "", "one column 'item_id'", "2 of that name"),
    "semicolons": log(LOG.replace(",", ";"), "", "separated by commas", "'user_id;item_id;timestamp'"),
    "text for a number": users("user_id,age\nu0,old\n", AGE, "a finite number", "'old'"),
    "list for an id": log(
        jsonl({"user_id": ["u"], "item_id": "i0", "timestamp": 1}),
        ", row 0 (from 0), line 1, column 'user_id'",
        "one value",
        "a list",
        name="log.jsonl",
    ),
    "object for a text": items(
        jsonl({"item_id": "i0", "title": {"en": "Zero"}}),
        ", row 0 (from 0), line 1, column 'title'",
        "an object",
        name="items.jsonl",
    ),
    "list column for an id": parquet_log(", column 'item_id'", "string or integer", "list", item_id=[["i0"]] * 60),
    "float column for an id": parquet_log(
        ", column 'item_id'", "lost digits", item_id=pa.array([1.0] * 60, pa.float32())
    ),
    "blank id": last_row(",i0,881250949", ", column 'user_id'", "an id", "a blank"),
    "space for an id": last_row("u0,  ,881250949", ", column 'item_id'", "an id", "a blank"),
    "null id": parquet_log(", row 59 (from 0), column 'user_id'", "null", user_id=["u0", "u1"] * 29 + ["u0", None]),
    "null id in json": log(
        jsonl({"user_id": None, "item_id": "i0", "timestamp": 1}), ", row 0 (from 0), line 1", "null", name="log.jsonl"
    ),
    "line end in an id": last_row('"u\n0",i0,881250949', ", column 'user_id'", "control characters", r"'u\n0'"),
    "text for an id": last_row("u0," + "x" * 3000 + ",881250949", ", column 'item_id'", "2,048 characters", "3,000"),
    "duplicate candidate": items(
        ITEMS + "i1,Again\n", ", column 'item_id'", "each id once", "'i1' in row 1 and again in row 4", "duplicates"
    ),
    "duplicate query": users(USERS + "u0,1\n", ", column 'user_id'", "each id once", "data.queries.duplicates"),
    "unknown candidates": log(
        LOG + "u0,none,881250949\n" * 4,
        ", column 'item_id'",
        "0.05",
        "4 of 64",
        "'none'",
        "data.gate.unknown_candidates",
    ),
    "negative time": last_row("u0,i0,-5", ", column 'timestamp'", "from 1990-01-01", "negative"),
    "time of 1970": last_row("u0,i0,5", ", column 'timestamp'", "'5', 1970-01-01", "data.interactions.earliest"),
    "future time": last_row(f"u0,i0,{NOW + 3 * 86_400}", ", column 'timestamp'", "until tomorrow", "in the future"),
    "mixed units": last_row("u0,i0,881250949000", ", column 'timestamp'", "looks like milliseconds", "is seconds"),
    "mixed writing": last_row("u0,i0,1997-12-04", ", column 'timestamp'", "looks like ISO 8601", "is seconds"),
    "day first": log(HEADER + "u0,i0,4/12/1997 15:55\n", ", column 'timestamp'", "day and month", "%d/%m/%Y"),
    "blank time": last_row("u0,i0,", ", column 'timestamp'", "a blank"),
    "time out of order numbers": log(HEADER + "u0,i0,1\nu1,i1,-1\n", ", row 1", "whole order number", "'-1'"),
    "short row": last_row("u0,i0", "", "3 fields", "got 2"),
    "long row": last_row("u0,i0,881250949,", "", "3 fields", "got 4"),
    "open quote": log(LOG + '"u0,i0,881250949\n', ", line 62", "closed quotes"),
    "nul byte": log(LOG + "u0,i\0,881250949\n", ", line 62", "a NUL byte"),
    "nul in parquet": parquet_log(", row 0 (from 0), column 'user_id'", "control characters", user_id=["u\0"] * 60),
    "latin 1": log(LOG.encode() + "u0,café,881250949\n".encode("latin-1"), ", line 62", "UTF-8", "0xe9 at position 6"),
    "utf-16 without a mark": log(LOG.encode("utf-16-le"), "", "a NUL", "data.interactions.encoding: utf-16-le"),
    "invalid utf-8 in parquet": parquet_log(
        ", row 0 (from 0), column 'item_id'", "UTF-8", item_id=pa.array([b"\xff"] * 60).view(pa.string())
    ),
    "half a character": log(
        r'{"user_id": "\ud800", "item_id": "i0", "timestamp": 1}', ", row 0 (from 0), line 1", "half", name="log.jsonl"
    ),
    "parquet cut short": log(PARQUET[:-20], "", "a whole Parquet file", "write it again", name="log.parquet"),
    "parquet without an end": log(PARQUET[:100], "", "a whole Parquet file", name="log.parquet"),
    "csv called parquet": log(LOG, "", "a whole Parquet file", "format: csv", name="log.parquet"),
    "parquet called csv": log(PARQUET, "", "a Parquet file", "data.interactions.format: parquet"),
    "gz cut short": log(PACKED[:-20], "", "read to its end", "write it again", name="log.csv.gz"),
    "gz with a wrong checksum": log(PACKED[:-8] + b"\0" * 8, "", "read to its end", name="log.csv.gz"),
    "json array": log(json.dumps([{"user_id": "u"}]), ", line 1", "one JSON array", "format: json", name="log.jsonl"),
    "broken json": log('{"user_id": "u0"\n', ", line 1", "one JSON object", "delimiter", name="log.jsonl"),
    "nan in json": log(
        '{"user_id": NaN, "item_id": "i", "timestamp": 1}\n',
        ", row 0 (from 0), line 1",
        "an id",
        "null",
        name="log.jsonl",
    ),
    "one bad file among many": Case(
        folder_with_one_bad, "log/part-23.csv, row 0 (from 0), line 2", ("'user_id'", "blank")
    ),
    "one cut file among many": Case(folder_with_one_truncated, "log/part-7.parquet", ("a whole Parquet file",)),
    "one query": log(
        HEADER + "u0,i0,1\nu0,i1,2\nu0,i2,3\n", ", column 'user_id'", "2 different query ids", "only 'u0'"
    ),
    "one candidate": items("item_id,title\ni0,Zero\n", "", "at least 2 candidates", "got 1"),
    "one interaction a query": log(
        HEADER + "u0,i0,1\nu1,i1,2\nu2,i2,3\n", "", "a query with at least 3 interactions", "data.split"
    ),
    "number too large": users("user_id,age\nu0,1e39\n", AGE, "32-bit float", "'1e39'"),
    "number far too large": users("user_id,age\nu0,1e999\n", AGE, "32-bit float"),
    "time too large": last_row("u0,i0," + "9" * 30, ", column 'timestamp'", "in the future"),
    "infinite number": users("user_id,age\nu0,inf\n", AGE, "a finite number", "'inf'"),
    "line of 16 MB": log(LOG + "x" * (16 * 2**20 + 1) + "\n", ", line 62", "a line of over 16 MB"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_refused(project, case):
    case.spoil(project)
    sentence = project.refusal(BadInputError)
    parts = SENTENCE.fullmatch(sentence)
    assert parts, sentence
    assert parts["where"].startswith(case.where), sentence
    for part in case.parts:
        assert part in sentence
    assert len(sentence) < 700
    assert not (project.root / "workspaces").exists()


def candidates(count: int) -> Callable[[Project], object]:
    catalogue = "item_id,title\n" + "".join(f"i{row},\n" for row in range(count))
    seen = min(count, 4)
    rows = [(user, f"i{row % seen}", seconds) for row, (user, _, seconds) in enumerate(ROWS)]
    content = HEADER + "".join(f"{user},{item},{seconds}\n" for user, item, seconds in rows)
    return lambda project: project.write(items=catalogue, log=content)


QUOTED = ITEMS.replace("Zero", '"Ze\nro, ""0"""')
ACCEPTED: dict[str, Callable[[Project], object]] = {
    "bom": lambda project: project.write(log=b"\xef\xbb\xbf" + LOG.encode()),
    "crlf": lambda project: project.write(log=LOG.replace("\n", "\r\n")),
    "no last line end": lambda project: project.write(log=LOG.rstrip()),
    "blank lines": lambda project: project.write(log=LOG.replace("\n", "\n\n")),
    "quoted newlines": lambda project: project.write(items=QUOTED),
    "gz by content": lambda project: project.write(log=PACKED),
    "jsonl": lambda project: project.file(
        "log.jsonl", jsonl(*(dict(zip(COLUMNS, row, strict=True)) for row in ROWS))
    ).set(interactions={"path": "log.jsonl"}),
    "parquet": lambda project: project.file("log.parquet", PARQUET).set(interactions={"path": "log.parquet"}),
    "an empty part of json lines": lambda project: (
        project.file("log/0.jsonl", "")
        .file("log/1.jsonl", jsonl(*(dict(zip(COLUMNS, row, strict=True)) for row in ROWS)))
        .set(interactions={"path": "log"})
    ),
    "odd ids": lambda project: project.write(
        log=LOG.replace("u0", "007").replace("u1", "a b"),
        items=ITEMS + "🦊,\n",
        users="user_id,age\n007,\na b,1\nÅsa,2\n",
    ),
    "unknown candidates up to the limit": lambda project: project.write(log=LOG + "u0,none,881250949\n" * 3),
    "no features of a candidate": lambda project: project.write(items=ITEMS.replace("Zero", "")),
    "no features at all": lambda project: project.write(
        items="item_id,title\n" + "".join(f"i{i},\n" for i in range(4))
    ),
    "2 candidates": candidates(2),
    "15 candidates": candidates(15),
    "16 candidates": candidates(16),
    "17 candidates": candidates(17),
    "a tiny number": lambda project: project.write(users="user_id,age\nu0,1e-300\n"),
}


def test_a_text_of_a_megabyte_is_accepted_with_a_warning(project):
    project.write(items=ITEMS + "i4," + "word " * 200_000 + "\n")
    [warning] = project.check().warnings
    assert "more than 64 words in title, 200,000 at most" in warning


@pytest.mark.parametrize("spoil", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(project, spoil):
    spoil(project)
    report = project.check()
    assert report.warnings == ()
    assert report.candidate_count is not None


@pytest.mark.parametrize("name", ["missing file", "blank id", "gz cut short", "one candidate"])
def test_the_command_ends_with_exit_code_2_and_one_line(project, name):
    case = CASES[name]
    case.spoil(project)
    config = project.root / "x.yaml"
    config.write_text(yaml.safe_dump(project.raw))
    project.write_schemas(parse_config(project.raw, "x.yaml"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "run", "--config", str(config)],
        cwd=project.root,
        env={"PATH": "/usr/bin:/bin", "SHORTLIST_DATA_DIR": str(project.data)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Error: {case.where}")
    for part in case.parts:
        assert part in line
    assert not (project.root / "workspaces").exists()
