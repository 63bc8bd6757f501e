"""The examples of docs/data.md convert what they say, and its config is valid."""

from __future__ import annotations

import io
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap

import pytest
import yaml

from shortlist.config.table import Interactions
from shortlist.tables import readers
from shortlist.tables.spec import ENDINGS, TableSpec, table_spec
from tests.shortlist.tables import formats

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[tuple[str, str]]:
    """Returns the language and the text of each block below a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ [A-Z]", section, maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


def run(block: tuple[str, str], folder: pathlib.Path) -> None:
    """Runs a block of the page in a folder."""
    language, text = block
    command = {"sh": ["sh", "-eu", "-c"], "python": [sys.executable, "-c"]}[language]
    subprocess.run([*command, text], cwd=folder, check=True, capture_output=True)


def cells(path: pathlib.Path) -> list[list[str]]:
    """Returns the cells of a CSV file by our own reader, its header first."""
    content = path.read_bytes()
    names = list(readers.open_table(io.BytesIO(content), TableSpec("interactions", "csv", ()), path.name).columns)
    table = Interactions(path=path.name, query_id=names[0], candidate_id=names[1], timestamp=None, features={})
    spec = table_spec("interactions", table)
    with io.BytesIO(content) as file:
        rows = [
            [*values.values()] for _, values in readers.parsed_rows(readers.open_table(file, spec, path.name), spec)
        ]
    assert [[user[0], item[0]] for user, item in rows] == [line.split(",")[:2] for line in content.decode().split()[1:]]
    return [line.split(",") for line in content.decode().split()]


def test_lines_of_a_user_and_its_items(tmp_path):
    (tmp_path / "adjacency.txt").write_text("u1 i7 i2 i9\nu2 i2\n0 0 1\n")
    run(*blocks("A user and its items in each line"), tmp_path)
    assert cells(tmp_path / "log.csv") == [
        ["user_id", "item_id", "timestamp"],
        *(["u1", "i7", "1"], ["u1", "i2", "2"], ["u1", "i9", "3"], ["u2", "i2", "1"], ["0", "0", "1"], ["0", "1", "2"]),
    ]


def test_a_matrix(tmp_path):
    (tmp_path / "matrix.csv").write_text("user,j1,j2,j3\n007,3.5,99,\n8,,-1,99\n")
    run(*blocks("A matrix"), tmp_path)
    assert cells(tmp_path / "log.csv") == [["user", "item", "rating"], ["007", "j1", "3.5"], ["8", "j2", "-1"]]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_netflix(tmp_path, end):
    (tmp_path / "combined_data_1.txt").write_text(end.join(["1:", "1488844,3,2005-09-06", "822109,5,2005-05-13", ""]))
    (tmp_path / "combined_data_2.txt").write_text(end.join(["4500:", "7,1,2004-01-01", ""]))
    run(*blocks("Netflix"), tmp_path)
    assert cells(tmp_path / "log.csv") == [
        ["user_id", "movie_id", "rating", "date"],
        *(["1488844", "1", "3", "2005-09-06"], ["822109", "1", "5", "2005-05-13"], ["7", "4500", "1", "2004-01-01"]),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_a_database(tmp_path, number):
    block = blocks("A database")[number]
    if block[0] == "sh" and shutil.which("sqlite3") is None:
        pytest.skip("the program sqlite3 is not installed")
    with sqlite3.connect(tmp_path / "log.sqlite") as database:
        database.execute("create table log (user text, item text, at integer)")
        database.executemany("insert into log values (?, ?, ?)", [("007", "a", 1), ("8", "1e3", 2)])
    database.close()
    run(block, tmp_path)
    assert cells(tmp_path / "log.csv") == [["user", "item", "at"], ["007", "a", "1"], ["8", "1e3", "2"]]


def test_several_files_in_a_zip_file(tmp_path):
    if shutil.which("unzip") is None:
        pytest.skip("the program unzip is not installed")
    (tmp_path / "ml-small.zip").write_bytes(formats.zipped({"ratings.csv": b"a,b\n", "movies.csv": b"c,d\n"}))
    run(*blocks("Several files in a zip file"), tmp_path)
    assert (tmp_path / "ml-small" / "ratings.csv").read_bytes() == b"a,b\n"


def test_the_options_read_the_file_of_their_comments():
    [(_, text)] = blocks("Formats and options")
    table = Interactions.model_validate(
        yaml.safe_load(text)["data"]["interactions"] | {"features": {"rating": "numeric"}}
    )
    spec = table_spec("interactions", table, "iso8601")
    content = textwrap.dedent("""\
        Zoë;i 1;3,5;1.12.2010 8:26
        007;i2;4;13.12.2010 18:05
        """).encode("cp1252")
    with io.BytesIO(content) as file:
        rows = [values for _, values in readers.parsed_rows(readers.open_table(file, spec, table.path), spec)]
    assert [row["query_id"] + row["rating"] for row in rows] == [["Zoë", 3.5], ["007", 4.0]]
    # 2010-12-01 is 14,944 days after 1970-01-01.
    assert rows[0]["timestamp"] == [14_944 * 86_400 + 8 * 3600 + 26 * 60]


def test_every_ending_is_on_the_page():
    section = PAGE.split("### Formats and options")[1].split("```")[0]
    for ending in ENDINGS:
        assert f"`{ending}`" in section or not ending.startswith(".")
