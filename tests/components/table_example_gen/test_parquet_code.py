"""A Parquet file that brings code, which pyarrow 10 alone would run when the file is opened (CVE-2023-47248)."""

from __future__ import annotations

import pathlib
import pickle
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = pathlib.Path(__file__).parents[3]
OPENS = """
import sys
from shortlist.tables import readers
from tests.shortlist.tables.tables import one_column
from shortlist.errors import DataError

assert "apache_beam" not in sys.modules, "Beam brings the same protection: this test would pass without ours"
with open(sys.argv[1], "rb") as file:
    try:
        readers.open_table(file, one_column("id", "parquet"), "log.parquet")
    except DataError as error:
        print(error)
"""


class Trap:
    """Makes the folder when it is unpickled."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def __reduce__(self):
        return pathlib.Path.mkdir, (self.folder,)


class PickledType(pa.PyExtensionType):
    def __init__(self, trap: Trap):
        self.trap = trap
        super().__init__(pa.string())

    def __arrow_ext_serialize__(self) -> bytes:
        return pickle.dumps(self.trap)

    def __reduce__(self):
        return PickledType, (self.trap,)


@pytest.fixture
def trapped(tmp_path):
    """A table of one column whose type makes the folder `ran` where its reader trusts it."""
    column = pa.ExtensionArray.from_storage(PickledType(Trap(tmp_path / "ran")), pa.array(["u1", "u2"]))
    pq.write_table(pa.table({"x": column}), tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def run(script: str, path: pathlib.Path) -> str:
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, cwd=ROOT)
    return done.stdout or done.stderr


def test_the_code_of_a_column_type_is_refused_and_not_run(trapped):
    said = run(OPENS, trapped)
    assert said == (
        "log.parquet: expected plain column types, got a pickled Python type, which is code and was not run; "
        "write the column as its plain storage type\n"
    )
    assert not (trapped.parent / "ran").exists()


def test_pyarrow_without_the_check_runs_the_code(trapped):
    run("import sys; from pyarrow.parquet import ParquetFile; ParquetFile(sys.argv[1])", trapped)
    assert (trapped.parent / "ran").is_dir()
