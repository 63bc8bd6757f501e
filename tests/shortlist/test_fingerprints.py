from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import fingerprints
from shortlist.config.train import Train

SOURCES = {
    "shortlist/__init__.py": "",
    "shortlist/keys.py": "A = 1",
    "shortlist/unrelated.py": "",
    "shortlist/lazy.py": "",
    "shortlist/deep/__init__.py": "from .inner import f",
    "shortlist/deep/inner.py": "from .. import relative",
    "shortlist/relative.py": "",
    "components/__init__.py": "import shortlist",
    "components/a/__init__.py": "",
    "components/a/executor.py": """
import os
import tensorflow
from components.a.core import run
def f():
    from shortlist import lazy
""",
    "components/a/core.py": "import shortlist.keys\nfrom shortlist import deep, nothing\nfrom shortlist.star import *",
    "components/a/component.py": "from components.a import executor",
    "shortlist/star.py": "",
}
IMPORTED = sorted(set(SOURCES) - {"shortlist/unrelated.py", "components/a/component.py"})


@pytest.fixture
def tree(tmp_path):
    for name, source in SOURCES.items():
        file = tmp_path / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return tmp_path / "src"


def code(tree, *names):
    roots = {package: tree / package for package in ("shortlist", "components")}
    return fingerprints.code_sha256_under(roots, *names or ["components.a.executor"])


@pytest.mark.parametrize("name", IMPORTED)
def test_code_changes_with_every_module_that_is_imported(tree, name):
    before = code(tree)
    with (tree / name).open("a") as file:
        file.write("\nTOUCHED = 1")
    assert code(tree) != before


@pytest.mark.parametrize("name", IMPORTED)
def test_code_does_not_change_with_words(tree, name):
    before = code(tree)
    source = (tree / name).read_text()
    (tree / name).write_text(f'"""A module."""\n\n# A comment.\n{source}\n\n"""The value above."""\n')
    assert code(tree) == before


@pytest.mark.parametrize("name", ["shortlist/unrelated.py", "components/a/component.py"])
def test_code_does_not_change_with_others(tree, name):
    before = code(tree)
    (tree / name).write_text("X = 2")
    assert code(tree) == before


def test_code_does_not_depend_on_the_place_or_the_order(tree, tmp_path):
    moved = shutil.copytree(tree, tmp_path / "elsewhere")
    assert code(moved) == code(tree)
    assert code(tree, "shortlist.keys", "components.a.core") == code(tree, "components.a.core", "shortlist.keys")
    assert code(tree, "shortlist.keys") != code(tree, "shortlist.lazy")


def test_code_moved_to_another_module_changes(tree):
    before = code(tree, "components.a")
    (tree / "components/__init__.py").write_text("")
    (tree / "components/a/__init__.py").write_text("import shortlist")
    assert code(tree, "components.a") != before


def test_code_of_an_unknown_module_is_an_error(tree):
    with pytest.raises(ValueError, match=r"components\.b.*not a module"):
        code(tree, "components.b")
    with pytest.raises(ValueError, match="os"):
        fingerprints.code_sha256("os")


def test_code_of_this_project():
    windows = fingerprints.code_sha256("components.table_example_gen.executor")
    assert windows == fingerprints.code_sha256("components.table_example_gen.executor")
    assert windows != fingerprints.code_sha256("shortlist.tables.readers")


@given(value=st.floats(min_value=1e-6, max_value=1.0))
def test_config_changes_with_any_value_but_not_with_defaults(value):
    one = fingerprints.config_sha256(Train(learning_rate=value))
    assert one == fingerprints.config_sha256(Train(learning_rate=value, epochs=60))
    assert one != fingerprints.config_sha256(Train(learning_rate=value / 2))
