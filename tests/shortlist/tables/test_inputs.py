from __future__ import annotations

import datetime
import importlib
import os
import subprocess
import sys
import threading

import pytest

from shortlist.config import paths
from shortlist.errors import DataError
from shortlist.tables import inputs, remote_files


def make(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def names(path, root, last_spans=None):
    return [file.name for file in inputs.find(path, root, last_spans)]


def test_a_file(tmp_path):
    make(tmp_path, "log/x.csv", "log/x.csv.bak")
    [file] = inputs.find("log/x.csv", tmp_path)
    assert file == inputs.InputFile("log/x.csv", str(tmp_path / "log/x.csv"), 9)
    with file.open() as opened:
        assert opened.read() == b"log/x.csv"


def test_nothing_there(tmp_path):
    make(tmp_path, "log/x.csv", "file")
    (tmp_path / "empty").mkdir()
    for path in ("log/y.csv", "empty", "log/*.parquet", "none/*.csv", "file/x", "log/{YYYY}-{MM}-{DD}.csv"):
        assert names(path, tmp_path) == []


def test_a_folder_means_all_data_files_below_it(tmp_path):
    make(tmp_path, "log/b.csv", "log/day=1/a.csv", "log/day=1/deep/c.csv")
    make(tmp_path, "log/_SUCCESS", "log/.b.csv.crc", "log/_temporary/0/d.csv", "log/.git/e.csv", "other/x.csv")
    for path in ("log", "log/", "./log", "log/../log"):
        assert names(path, tmp_path) == ["log/b.csv", "log/day=1/a.csv", "log/day=1/deep/c.csv"]
    assert names(".", tmp_path / "log") == ["b.csv", "day=1/a.csv", "day=1/deep/c.csv"]


def test_names_sort_as_their_bytes_do(tmp_path):
    make(tmp_path, "log/a/x", "log/a-b/x", "log/\u00e9", "log/Z", "log/\U0001f600", "log/\uff5e")
    found = names("log", tmp_path)
    assert sorted(found, key=str.encode) == found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("log/*.csv", ["log/a.csv", "log/b.csv"]),
        ("log/[ab].csv", ["log/a.csv", "log/b.csv"]),
        ("log/[!a].csv", ["log/b.csv"]),
        ("log/?.csv", ["log/a.csv", "log/b.csv"]),
        ("l*/day=*/*.csv", ["log/day=1/a.csv", "log/day=2/a.csv"]),
        ("log/day=*", ["log/day=1/a.csv", "log/day=1/x/deep.csv", "log/day=2/a.csv"]),
        ("log/**/a.csv", ["log/a.csv", "log/day=1/a.csv", "log/day=2/a.csv"]),
        ("**/deep.csv", ["log/day=1/x/deep.csv"]),
        ("log/_tmp/*.csv", ["log/_tmp/h.csv"]),
        ("log/_*/*.csv", ["log/_tmp/h.csv"]),
        ("log/.h*", ["log/.hidden.csv"]),
    ],
)
def test_a_pattern(tmp_path, pattern, expected):
    make(tmp_path, "log/a.csv", "log/b.csv", "log/day=1/a.csv", "log/day=2/a.csv", "log/day=1/x/deep.csv")
    make(tmp_path, "log/.hidden.csv", "log/_SUCCESS", "log/_tmp/h.csv", "other.csv")
    assert names(pattern, tmp_path) == expected


@pytest.mark.parametrize("root", ["plain", "with space", "[1]", "{YYYY}", "\u00fcn\u00ef\U0001f600", "*", "_hidden"])
def test_the_roots_name_is_taken_as_it_is(tmp_path, root):
    make(tmp_path / root, "log/a.csv", "log/2024-01-31/b.csv")
    make(tmp_path, "1/log/a.csv", "2024/log/a.csv")
    assert names("log/*.csv", tmp_path / root) == ["log/a.csv"]
    assert names("log", tmp_path / root) == ["log/2024-01-31/b.csv", "log/a.csv"]
    assert names("log/{YYYY}-{MM}-{DD}/*.csv", tmp_path / root) == ["log/2024-01-31/b.csv"]


def test_a_name_with_wildcards_in_it_is_that_file(tmp_path):
    make(tmp_path, "x[1].csv", "x1.csv", "a*/y.csv", "ab/y.csv")
    assert names("x[1].csv", tmp_path) == ["x[1].csv"]
    assert names("a*", tmp_path) == ["a*/y.csv"]
    assert names("x[1]*", tmp_path) == ["x1.csv"]
    assert names(str(tmp_path / "x[1].csv"), "/") == ["x[1].csv"]


def test_an_absolute_path_has_its_own_folder_for_a_root(tmp_path):
    make(tmp_path, "far/log/1/x.csv", "far/log/2/x.csv")
    assert names(str(tmp_path / "far/*/1/x.csv"), "/none") == ["log/1/x.csv"]
    assert names(str(tmp_path / "far/log/1/x.csv"), "/none") == ["x.csv"]
    assert names(str(tmp_path / "far/log") + "/", "/none") == ["log/1/x.csv", "log/2/x.csv"]


def test_a_path_out_of_the_root(tmp_path):
    make(tmp_path, "data/x.csv", "far/x.csv")
    [file] = inputs.find("../far/*.csv", tmp_path / "data")
    assert file.name == "../far/x.csv"
    assert os.path.samefile(file.path, tmp_path / "far/x.csv")


def test_spans(tmp_path):
    make(tmp_path, "log/2024-01-31/a.csv", "log/2024-02-01/a.csv", "log/2024-02-01/b.csv", "log/2023-12-31/a.csv")
    make(tmp_path, "log/2024-02-31/a.csv", "log/2024-1-1/a.csv", "log/2024-02-02/_SUCCESS", "log/2024-02-02x/a.csv")
    path = "log/{YYYY}-{MM}-{DD}/*.csv"
    files = inputs.find(path, tmp_path)
    assert [(file.name, file.span) for file in files] == [
        ("log/2023-12-31/a.csv", datetime.date(2023, 12, 31)),
        ("log/2024-01-31/a.csv", datetime.date(2024, 1, 31)),
        ("log/2024-02-01/a.csv", datetime.date(2024, 2, 1)),
        ("log/2024-02-01/b.csv", datetime.date(2024, 2, 1)),
    ]
    assert names(path, tmp_path, 1) == ["log/2024-02-01/a.csv", "log/2024-02-01/b.csv"]
    assert names(path, tmp_path, 2) == ["log/2024-01-31/a.csv", "log/2024-02-01/a.csv", "log/2024-02-01/b.csv"]
    assert len(names(path, tmp_path, 99)) == 4


@pytest.mark.parametrize("pattern", ["log/{YYYY}/{MM}/{DD}/*.csv", "log/{YYYY}/{MM}/{DD}", "*/{YYYY}/{MM}/{DD}/"])
def test_spans_by_folders_need_no_file_name(tmp_path, pattern):
    make(tmp_path, "log/2024/01/31/a.csv", "log/2024/02/01/b.csv", "log/latest/x.csv", "log/2024/13/01/x.csv")
    files = inputs.find(pattern, tmp_path, 1)
    assert [(file.name, file.span) for file in files] == [("log/2024/02/01/b.csv", datetime.date(2024, 2, 1))]


def test_spans_in_file_names_beside_other_wildcards(tmp_path):
    make(
        tmp_path,
        "log-a/2024-01-31_1.csv",
        "log-b/2024-02-01_1.csv",
        "log-b/2024-02-01_22.csv",
        "log-c/2024-03-01_1.csv",
    )
    path = "log-[ab]/{YYYY}-{MM}-{DD}_?.csv"
    assert names(path, tmp_path) == ["log-a/2024-01-31_1.csv", "log-b/2024-02-01_1.csv"]
    assert names(str(tmp_path / path), "/", 1) == ["log-b/2024-02-01_1.csv"]


def test_links_are_followed_and_nothing_is_read_twice(tmp_path):
    make(tmp_path, "store/a.csv", "store/b.csv", "log/c.csv")
    (tmp_path / "log/day").symlink_to(tmp_path / "store")
    (tmp_path / "log/again").symlink_to(tmp_path / "store")
    (tmp_path / "log/latest.csv").symlink_to("c.csv")
    (tmp_path / "log/day/loop").symlink_to(tmp_path / "log")
    assert names("log", tmp_path) == ["log/again/a.csv", "log/again/b.csv", "log/c.csv"]
    assert names("log/latest.csv", tmp_path) == ["log/latest.csv"]
    (tmp_path / "root").symlink_to(tmp_path)
    assert names("log/*.csv", tmp_path / "root") == ["log/c.csv"]


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    make(tmp_path, "log/a.csv")
    (tmp_path / "log/b.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"log: expected files that can be listed, got No such file.*b\.csv; .*links"):
        inputs.find("log", tmp_path)
    assert names("log/a*", tmp_path) == ["log/a.csv"]


def test_a_pipe_or_socket_is_no_file(tmp_path):
    make(tmp_path, "log/a.csv")
    os.mkfifo(tmp_path / "log/pipe.csv")
    assert names("log", tmp_path) == ["log/a.csv"]
    assert names("log/pipe.csv", tmp_path) == []


def test_a_file_name_that_is_not_utf_8_is_refused(tmp_path):
    make(tmp_path, "log/a.csv")
    with open(os.fsencode(tmp_path / "log") + b"/\xff.csv", "w"):
        pass
    with pytest.raises(DataError, match="expected a file name in UTF-8"):
        inputs.find("log", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_refused_rather_than_left_out(tmp_path):
    make(tmp_path, "log/1/a.csv", "log/2/a.csv")
    (tmp_path / "log/2").chmod(0)
    with pytest.raises(DataError, match="Permission denied"):
        inputs.find("log", tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (" ", "empty"),
        ("a\0b", "control characters"),
        ("log/{DAY}/x", r"unknown placeholder \{DAY\}"),
        ("log/{YYYY}/x", "once each"),
        ("log/{YYYY}{MM}{DD}{DD}", "once each"),
        ("log/[z-a].csv", "expected a pattern"),
    ],
)
def test_a_path_that_names_nothing_is_refused(path, message):
    with pytest.raises(ValueError, match=message):
        paths.check_path(path)


class TestOfUris:
    """A real second file system of Beam, in this process."""

    @pytest.fixture(autouse=True)
    def files(self, monkeypatch):
        memory_files = importlib.import_module("tests.shortlist.tables.memory_files")
        content = {
            f"memory://bucket/data/{name}": name.encode()
            for name in (
                *("log/a.csv", "log/b.csv", "log/_SUCCESS", "log/.x.crc", "log/empty/", "logs.csv", "x[1].csv"),
                *("dated/2024-01-31/a.csv", "dated/2024-02-01/_SUCCESS", "dated/2024-02-01/b.csv"),
            )
        }
        monkeypatch.setattr(memory_files, "FILES", content)

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("log", ["log/a.csv", "log/b.csv"]),
            ("log/", ["log/a.csv", "log/b.csv"]),
            ("log/a.csv", ["log/a.csv"]),
            ("log/*.csv", ["log/a.csv", "log/b.csv"]),
            ("log*", ["log/a.csv", "log/b.csv", "logs.csv"]),
            ("**/a.csv", ["dated/2024-01-31/a.csv", "log/a.csv"]),
            ("dated/{YYYY}-{MM}-{DD}", ["dated/2024-01-31/a.csv", "dated/2024-02-01/b.csv"]),
            ("log/c.csv", []),
            ("none", []),
        ],
    )
    @pytest.mark.parametrize("root", ["memory://bucket/data", "memory://bucket/data/"])
    def test_the_same_paths_below_a_root_that_is_one(self, path, root, expected):
        assert names(path, root) == expected

    def test_a_path_that_is_one(self):
        files = inputs.find("memory://bucket/data/dated/{YYYY}-{MM}-{DD}/*.csv", "/none", last_spans=1)
        assert files == [
            inputs.InputFile(
                "2024-02-01/b.csv",
                "memory://bucket/data/dated/2024-02-01/b.csv",
                len("dated/2024-02-01/b.csv"),
                datetime.date(2024, 2, 1),
            )
        ]
        with files[0].open() as opened:
            assert opened.read() == b"dated/2024-02-01/b.csv"
        assert len(names("memory://bucket", "/none")) == len(names("memory://bucket/", "/none")) == 6

    def test_a_file_that_has_gone(self):
        gone = inputs.InputFile("a.csv", "memory://bucket/gone.csv", 1)
        with pytest.raises(OSError):  # noqa: PT011  Beam's has no message of its own
            gone.open()

    def test_a_folder_without_permission_is_an_error(self):
        with pytest.raises(DataError, match=r"memory://forbidden/x: expected .* got: 403 Forbidden; check"):
            inputs.find("memory://forbidden/x", "/none")

    @pytest.mark.parametrize("uri", ["nope://bucket/x.csv", "file:///x.csv", "minio://b/x"])
    def test_a_scheme_that_nobody_knows_is_one_sentence(self, uri):
        with pytest.raises(DataError) as refused:
            inputs.find(uri, "/none")
        assert str(refused.value).startswith(f"{uri}: expected a file system that answers, got: ")
        assert "mount" in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_a_file_system_that_does_not_answer_is_given_up(self, monkeypatch):
        memory_files = importlib.import_module("tests.shortlist.tables.memory_files")
        monkeypatch.setattr(remote_files, "ANSWER_SECONDS", 0.2)
        given_up = threading.Event()
        monkeypatch.setattr(memory_files.MemoryFileSystem, "exists", lambda self, path: given_up.wait(600))
        with pytest.raises(DataError, match="no answer within"):
            inputs.find("memory://bucket/x", "/none")
        given_up.set()


def test_a_google_bucket_without_credentials_is_refused_in_seconds(tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "CLOUDSDK_"))}
    env |= {"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(tmp_path)}
    code = """
import time
from shortlist.tables import inputs
from shortlist.errors import DataError
import apache_beam.io.filesystems, google.auth
start = time.monotonic()
try:
    inputs.find("gs://bucket/x.csv", "/none")
except DataError as error:
    print(error, time.monotonic() - start < 100, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=env, capture_output=True, text=True)
    sentence, in_time = done.stdout.splitlines()
    assert sentence.startswith("gs://bucket/x.csv: expected Google Cloud credentials, got Your default credentials")
    assert "gcloud auth application-default login" in sentence
    assert in_time == "True"
