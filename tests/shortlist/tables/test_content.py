from __future__ import annotations

import hashlib
import importlib
import os
import shutil

import pytest

from shortlist.errors import DataError
from shortlist.tables import content, inputs


def sha256(root, path="."):
    return content.files_sha256(inputs.find(path, root))


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
    found = [sha256(make(tmp_path / str(number), files)) for number, files in enumerate(tables)]
    assert len(set(found)) == len(tables)
    # SHA-256 of: 8 bytes of length and the name, then 8 bytes of length and the SHA-256 of the file.
    named = (1).to_bytes(8, "big") + b"a" + (32).to_bytes(8, "big") + hashlib.sha256(b"12").digest()
    assert found[3] == hashlib.sha256(named).hexdigest()


def test_content_depends_neither_on_the_place_nor_on_times(tmp_path):
    one = make(tmp_path / "one", {"log/a": "1", "log/b": "2"})
    other = shutil.copytree(one, tmp_path / "other")
    os.utime(other / "log/a", (1, 1))
    assert sha256(one) == sha256(other) == sha256(other, "log/*") == sha256(other, "log")


def test_content_of_a_large_file_is_streamed(tmp_path):
    text = "abc" * 10**6
    named = (1).to_bytes(8, "big") + b"x" + (32).to_bytes(8, "big") + hashlib.sha256(text.encode()).digest()
    assert sha256(make(tmp_path, {"x": text})) == hashlib.sha256(named).hexdigest()


def test_content_at_a_uri_is_that_of_the_same_files_here(tmp_path, monkeypatch):
    memory_files = importlib.import_module("tests.shortlist.tables.memory_files")
    monkeypatch.setattr(memory_files, "FILES", {"memory://b/root/log/a": b"1", "memory://b/root/log/b": b"2"})
    here = sha256(make(tmp_path, {"log/a": "1", "log/b": "2"}), "log")
    assert sha256("memory://b/root", "log") == here


def test_a_file_that_grows_meanwhile_is_refused(tmp_path):
    files = inputs.find("log", make(tmp_path, {"log/a": "1", "log/b": "2"}))
    (tmp_path / "log/b").write_text("2, and more")
    with pytest.raises(DataError, match=r"log/b: expected 1 bytes, as listed a moment ago, got 11; .*written"):
        content.files_sha256(files)


def test_a_file_that_has_gone_is_refused(tmp_path):
    files = inputs.find("log", make(tmp_path, {"log/a": "1"}))
    (tmp_path / "log/a").unlink()
    with pytest.raises(DataError, match="log/a: expected a readable file, got No such file"):
        content.files_sha256(files)
