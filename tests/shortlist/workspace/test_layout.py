"""Ownership of workspaces: a command refuses a folder of another owner and does not change it."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

import shortlist
from shortlist.errors import BadInputError, ConfigError
from shortlist.workspace import Workspace, layout


def _files(root: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _write(root: pathlib.Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _refusal(root: pathlib.Path, name: str = "shop") -> str:
    """Returns the error of reserving a workspace, and checks that nothing in it has changed."""
    before = _files(root)
    with pytest.raises(ConfigError) as refused, Workspace(root, name).reserve("run"):
        pass
    assert _files(root) == before
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("exists", [False, True])
def test_new_workspace_names_its_pipeline(tmp_path, exists):
    root = tmp_path / "deep" / "workspace"
    if exists:
        root.mkdir(parents=True)
        (root / "lost+found").mkdir()
    with Workspace(root, "shop").reserve("run"):
        assert json.loads((root / "workspace.json").read_text()) == {
            "layout_version": 1,
            "name": "shop",
            "made_by": f"shortlist {shortlist.__version__}",
        }
    assert {".lock", "workspace.json"} == {entry for entry in os.listdir(root) if entry != "lost+found"}
    with Workspace(root, "shop").reserve("run"):
        pass


def test_another_pipelines_workspace_is_refused(tmp_path):
    with Workspace(tmp_path, "shop").reserve("run"):
        pass
    sentence = _refusal(tmp_path, "books")
    assert f"expected a folder of the pipeline 'books', got that of 'shop' in {tmp_path}" in sentence
    assert "its own workspace" in sentence


def test_newer_layout_is_refused(tmp_path):
    _write(tmp_path, "workspace.json", '{"layout_version": 2, "name": "shop", "made_by": "shortlist 0.9.0"}')
    sentence = _refusal(tmp_path)
    assert "expected layout_version 1 at most, got 2, made by shortlist 0.9.0; use that version" in sentence


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "7", "{}", '{"layout_version": 1}', '{"layout_version": true, "name": "shop"}', "[" * 9000, "\x00"]
    + [f'{{"layout_version": {version}, "name": "shop"}}' for version in ("0", '"1"', "1.0", "null")],
    ids=lambda content: repr(content[:30]),
)
def test_damaged_file_is_refused(tmp_path, content):
    _write(tmp_path, "workspace.json", content)
    sentence = _refusal(tmp_path)
    assert f'{tmp_path / "workspace.json"}: expected {{"layout_version": 1, "name": ...}}' in sentence


def test_workspace_of_0_1_is_adopted_as_it_is(tmp_path):
    _write(tmp_path, "runs/20260102T030405Z/config.yaml", "name: shop\nworkspace: x\n")
    _write(tmp_path, "metadata/mlmd.sqlite", "lineage")
    _write(tmp_path, "serving/shop/1/saved_model.pb", "model")
    before = _files(tmp_path)
    with Workspace(tmp_path, "shop").reserve("run"):
        assert json.loads((tmp_path / "workspace.json").read_text())["name"] == "shop"
    after = _files(tmp_path)
    assert {name: after[name] for name in before} == before


def test_workspace_of_0_1_whose_newest_run_was_another_pipelines_is_refused(tmp_path):
    _write(tmp_path, "runs/20260102T030405Z/config.yaml", "name: shop\n")
    _write(tmp_path, "runs/20260103T030405Z/config.yaml", "name: books\n")
    (tmp_path / "runs" / "20260104T030405Z-2").mkdir()
    assert "got that of 'books'" in _refusal(tmp_path)


@pytest.mark.parametrize("config", ["", "a: [", "name: {", "- name"])
def test_workspace_of_0_1_without_a_name_is_adopted(tmp_path, config):
    _write(tmp_path, "runs/20260102T030405Z/config.yaml", config)
    with Workspace(tmp_path, "shop").reserve("run"):
        pass


@pytest.mark.parametrize("stranger", ["thesis.tex", "schemas/interactions.pbtxt", "runs/readme.md", ".git/HEAD"])
def test_folder_that_is_no_workspace_is_not_filled(tmp_path, stranger):
    _write(tmp_path, stranger, "dear")
    sentence = _refusal(tmp_path)
    assert f"expected an empty folder or a workspace at {tmp_path}, got one with {stranger.split('/')[0]!r}" in sentence


def test_killed_before_the_file_was_written(tmp_path):
    _write(tmp_path, ".lock", "")
    _write(tmp_path, ".workspace.json.part", '{"layout_')
    with Workspace(tmp_path, "shop").reserve("run"):
        pass
    layout.check(tmp_path, "shop")


def test_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigError, match=f"expected a folder at {root}"), Workspace(root, "shop").reserve("run"):
            pass


def test_two_commands_in_one_workspace(tmp_path):
    workspace = Workspace(tmp_path, "shop")
    with (
        workspace.reserve("run"),
        pytest.raises(BadInputError, match=f"in use: `shortlist run`, pid {os.getpid()} on"),
        workspace.reserve("rollback"),
    ):
        pass


@pytest.mark.parametrize("name", ["a?", "a*", "a[x]", "**", "a\\b", "a\nb", "a\0b", "a\x85b", "a\udcffb"], ids=repr)
@pytest.mark.parametrize("below", ["", "below"])
def test_a_path_that_could_be_a_pattern_is_refused(tmp_path, name, below):
    with pytest.raises(ConfigError) as refused, Workspace(tmp_path / name / below, "shop").reserve("run"):
        pass
    assert str(refused.value).startswith(r"workspace: expected a path without * ? [ \, control characters")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a{b}", "a b", "it's", '"a"', "100%", "é 日本 🎬", "#1", "a]", "$HOME", "~", "a&b;c"])
def test_other_unusual_paths_are_workspaces(tmp_path, name):
    with Workspace(tmp_path / name, "shop").reserve("run"):
        pass
    assert (tmp_path / name / "workspace.json").exists()
