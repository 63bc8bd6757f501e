"""The linter refuses what runs the code that a file brings; what it cannot see is looked for here."""

from __future__ import annotations

import ast
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("cli", "components", "pipeline", "server", "shortlist")
REFUSED = {
    "import pickle": "TID251",
    "from pickle import loads": "TID251",
    "import joblib": "TID251",
    "import numpy as np; np.load('x')": "TID251",
    "import pandas as pd; pd.read_pickle('x')": "TID251",
    "import tensorflow as tf; tf.keras.models.load_model('x')": "TID251",
    "import shutil; shutil.unpack_archive('x')": "TID251",
    "import tarfile; tarfile.open('x').extractall()": "S202",
    "import yaml; yaml.load('x')": "S506",
    "import yaml; yaml.load('x', Loader=yaml.UnsafeLoader)": "S506",
    "eval('x')": "S307",
    "exec('x')": "S102",
    "import subprocess; subprocess.run('x', shell=True)": "S602",
    "import os; os.system('x')": "S605",
    "import tempfile; tempfile.mktemp()": "S306",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_linter_refuses_it_in_every_package(package):
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json", "--stdin-filename"]
    done = subprocess.run(
        [*command, str(ROOT / package / "new.py"), "-"], input="\n".join(REFUSED), capture_output=True, text=True
    )
    found = {(problem["location"]["row"], problem["code"]) for problem in json.loads(done.stdout)}
    assert {(row, code) for row, code in enumerate(REFUSED.values(), start=1)} - found == set()


def modules() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths]


def imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_no_module_asks_for_pickles_or_unpacks_archives():
    asks = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if (isinstance(node, ast.keyword) and node.arg == "allow_pickle")
        or (isinstance(node, ast.Attribute) and node.attr in ("extract", "extractall"))
    }
    assert asks == set()


def test_whoever_reads_parquet_has_the_protection_against_its_code():
    with_parquet = {name for name, tree in modules() if "pyarrow.parquet" in imports(tree)}
    assert "shortlist/tables/parquet.py" in with_parquet
    assert {name for name, tree in modules() if name in with_parquet and "pyarrow_hotfix" not in imports(tree)} == set()
