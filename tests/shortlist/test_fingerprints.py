from __future__ import annotations

import hashlib
import importlib
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import fingerprints, inputs
from shortlist.config import types
from shortlist.errors import DataError

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
        file.write("\n# touched")
    assert code(tree) != before


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


def test_code_of_no_module_is_an_error(tree):
    with pytest.raises(ValueError, match=r"components\.b.*no module"):
        code(tree, "components.b")
    with pytest.raises(ValueError, match="os"):
        fingerprints.code_sha256("os")


def test_code_of_this_project():
    windows = fingerprints.code_sha256("components.table_example_gen.executor")
    assert windows == fingerprints.code_sha256("components.table_example_gen.executor")
    assert windows != fingerprints.code_sha256("components.table_example_gen.readers")


def content(root, path="."):
    return fingerprints.content_sha256(inputs.find(path, root))


def make(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_content_covers_names_and_bytes(tmp_path):
    tables = [
        {"a": "1", "b": "2"},
        {"a": "2", "b": "1"},
        {"a": "1", "c": "2"},
        {"a": "12"},
        {"b": "12"},
        {"a": "1", "b": "2", "c": ""},
        {"ab": "12"},
    ]
    found = [content(make(tmp_path / str(number), files)) for number, files in enumerate(tables)]
    assert len(set(found)) == len(tables)
    # SHA-256 of: 8 bytes of length and the name, then 8 bytes of length and the SHA-256 of the file.
    named = (1).to_bytes(8, "big") + b"a" + (32).to_bytes(8, "big") + hashlib.sha256(b"12").digest()
    assert found[3] == hashlib.sha256(named).hexdigest()


def test_content_depends_neither_on_the_place_nor_on_times(tmp_path):
    one = make(tmp_path / "one", {"log/a": "1", "log/b": "2"})
    other = shutil.copytree(one, tmp_path / "other")
    os.utime(other / "log/a", (1, 1))
    assert content(one) == content(other) == content(other, "log/*") == content(other, "log")


def test_content_of_a_large_file_is_streamed(tmp_path):
    text = "abc" * 10**6
    named = (1).to_bytes(8, "big") + b"x" + (32).to_bytes(8, "big") + hashlib.sha256(text.encode()).digest()
    assert content(make(tmp_path, {"x": text})) == hashlib.sha256(named).hexdigest()


def test_content_at_a_uri_is_that_of_the_same_files_here(tmp_path, monkeypatch):
    memory_files = importlib.import_module("tests.shortlist.memory_files")
    monkeypatch.setattr(memory_files, "FILES", {"memory://b/root/log/a": b"1", "memory://b/root/log/b": b"2"})
    here = content(make(tmp_path, {"log/a": "1", "log/b": "2"}), "log")
    assert content("memory://b/root", "log") == here


def test_a_file_that_grows_meanwhile_is_refused(tmp_path):
    files = inputs.find("log", make(tmp_path, {"log/a": "1", "log/b": "2"}))
    (tmp_path / "log/b").write_text("2, and more")
    with pytest.raises(DataError, match=r"log/b: expected the 1 bytes that it had a moment ago, got 11; .*written"):
        fingerprints.content_sha256(files)


def test_a_file_that_has_gone_is_refused(tmp_path):
    files = inputs.find("log", make(tmp_path, {"log/a": "1"}))
    (tmp_path / "log/a").unlink()
    with pytest.raises(DataError, match="log/a: expected a readable file, got No such file"):
        fingerprints.content_sha256(files)


@given(value=st.floats(min_value=1e-6, max_value=1.0))
def test_config_changes_with_any_value_and_not_with_what_is_the_default(value):
    one = fingerprints.config_sha256(types.Train(learning_rate=value))
    assert one == fingerprints.config_sha256(types.Train(learning_rate=value, epochs=60))
    assert one != fingerprints.config_sha256(types.Train(learning_rate=value / 2))
