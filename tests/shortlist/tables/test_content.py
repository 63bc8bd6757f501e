from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import time

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


@pytest.fixture
def reads(monkeypatch):
    """The sizes of all files that are read from now on."""
    sizes = []
    read = content._read

    def count(opened):
        digest, size = read(opened)
        sizes.append(size)
        return digest, size

    monkeypatch.setattr(content, "_read", count)
    return sizes


def test_a_file_is_read_once(tmp_path, reads, monkeypatch):
    make(tmp_path, {"a": "123", "b": "45"})
    now = time.time()
    # No program can set the time of the last change of a file, so that the clock is moved.
    monkeypatch.setattr(time, "time", lambda: now + 60)
    first = sha256(tmp_path)
    assert sha256(tmp_path) == first
    assert sorted(reads) == [2, 3]


def test_a_changed_file_is_read_again(tmp_path, reads, monkeypatch):
    path = make(tmp_path, {"a": "123"}) / "a"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    first = sha256(tmp_path)
    status = path.stat()
    # The same size, and the modification time is set back to the old one.
    path.write_text("456")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = sha256(tmp_path)
    assert second != first
    # Another file takes the place of the first one, with its size and modification time.
    other = tmp_path.parent / "other"
    other.write_text("789")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)
    assert sha256(tmp_path) not in (first, second)
    assert reads == [3, 3, 3]


def test_a_file_that_was_written_just_now_is_read_again(tmp_path, reads):
    make(tmp_path, {"a": "123"})
    assert sha256(tmp_path) == sha256(tmp_path)
    assert reads == [3, 3]


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
