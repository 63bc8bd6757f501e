"""Manifests find each kind of damage, and nothing else."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from shortlist.records import contents


@pytest.fixture
def model(tmp_path) -> pathlib.Path:
    folder = tmp_path / "model"
    (folder / "assets").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "assets" / "words").write_bytes(b"a\nb\n")
    return folder


def _delete(folder: pathlib.Path) -> None:
    (folder / "saved_model.pb").unlink()


def _truncate(folder: pathlib.Path) -> None:
    (folder / "assets" / "words").write_bytes(b"a\n")


def _alter(folder: pathlib.Path) -> None:
    (folder / "assets" / "words").write_bytes(b"a\nc\n")


def _add(folder: pathlib.Path) -> None:
    (folder / "assets" / "more").touch()


def _replace_by_folder(folder: pathlib.Path) -> None:
    _delete(folder)
    (folder / "saved_model.pb").mkdir()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_delete, "saved_model.pb is missing"),
        (_truncate, "assets/words has 2 bytes instead of 4"),
        (_alter, "the content of assets/words was altered"),
        (_add, "assets/more was added"),
        (_replace_by_folder, "saved_model.pb is missing"),
    ],
)
def test_damage_is_named(model, damage, sentence):
    recorded = contents.manifest(str(model))
    damage(model)
    assert contents.damage(str(model), recorded) == sentence


def test_an_absent_folder_is_damage(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    recorded = contents.manifest(str(empty))
    assert contents.damage(str(empty), recorded) is None
    empty.rmdir()
    assert contents.damage(str(empty), recorded) == "its folder is missing"


def test_times_and_location_do_not_count(model, tmp_path):
    recorded = contents.manifest(str(model))
    os.utime(model / "saved_model.pb", (1, 1))
    elsewhere = model.rename(tmp_path / "a? [b]*")
    assert contents.damage(str(elsewhere), recorded) is None


def test_artifacts_of_older_versions_are_not_compared(tmp_path):
    assert contents.damage(str(tmp_path / "none"), "") is None


def test_many_files_have_one_line(tmp_path):
    for number in range(300):
        (tmp_path / f"shard-{number:03d}").write_text(str(number))
    recorded = contents.manifest(str(tmp_path))
    assert len(json.loads(recorded)) == 1
    assert contents.damage(str(tmp_path), recorded) is None
    (tmp_path / "shard-007").write_text("8")
    (tmp_path / "shard-008").write_text("7")
    # Two exchanged files have the same names, sizes and bytes in total.
    assert contents.damage(str(tmp_path), recorded) == "its files differ from those that were recorded"


def test_both_ends_of_a_large_file_are_compared(tmp_path):
    size = contents.FULL_BYTES + 1
    file = tmp_path / "variables"
    with file.open("wb") as opened:
        opened.truncate(size)
    recorded = contents.manifest(str(tmp_path))
    for position in (0, size - 1):
        with file.open("r+b") as opened:
            opened.seek(position)
            opened.write(b"x")
        assert contents.damage(str(tmp_path), recorded) == "the content of variables was altered"
        with file.open("r+b") as opened:
            opened.seek(position)
            opened.write(b"\0")
        assert contents.damage(str(tmp_path), recorded) is None
