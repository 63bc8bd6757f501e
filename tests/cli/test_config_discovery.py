"""The config that a command finds, and the folder from which its relative paths start."""

from __future__ import annotations

import os
import pathlib

import pytest
import yaml

from cli import folders
from cli.app import app
from cli.invocation import _DEMO, Invocation, base_folder
from shortlist.config.load import parse_config
from shortlist.errors import BadInputError
from tests.shortlist.project import Project


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHORTLIST_CONFIG", raising=False)


def test_the_named_one_then_the_environments_then_the_folders_then_the_demo(tmp_path, monkeypatch):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Invocation.of(None, None).config == _DEMO
    (tmp_path / "shortlist.yaml").touch()
    assert Invocation.of(None, None).config == tmp_path / "shortlist.yaml"
    (tmp_path / "a" / "shortlist.yaml").touch()
    assert Invocation.of(None, None).config == tmp_path / "a" / "shortlist.yaml"
    monkeypatch.setenv("SHORTLIST_CONFIG", "other.yaml")
    assert Invocation.of(None, None).config == pathlib.Path("other.yaml")
    assert Invocation.of(pathlib.Path("x.yaml"), None).config == pathlib.Path("x.yaml")


@pytest.mark.parametrize(
    "command", [["rollback"], ["push", "--force", "--reason", "x"], ["runs", "prune"], ["ablate"], ["submit"]]
)
def test_commands_that_change_a_workspace_never_mean_the_demo(command):
    with pytest.raises(BadInputError, match="expected --config FILE, SHORTLIST_CONFIG, or shortlist.yaml"):
        app(command, standalone_mode=False)


def test_a_found_config_is_found_again():
    assert Invocation.of(None, None).command("runs").endswith(" runs")
    assert Invocation.of(pathlib.Path("x.yaml"), None).command("runs").endswith(" runs --config x.yaml")


def test_relative_paths_start_here_or_at_the_configs_project(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    shop = tmp_path / "shop"
    assert base_folder(shop / "shortlist.yaml") == tmp_path
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert base_folder(shop / "shortlist.yaml") == shop
    assert base_folder(shop / "configs" / "shop.yaml") == shop
    assert base_folder(pathlib.Path("../shop/configs/shop.yaml")).resolve() == shop


def test_check_works_from_any_folder_and_runs_nothing(tmp_path, monkeypatch, capsys):
    shop = tmp_path / "shop"
    shop.mkdir()
    project = Project(shop)
    project.write_schemas(parse_config(project.raw, "shortlist.yaml"))
    raw = project.raw
    raw["workspace"], raw["data"]["schemas"] = "workspaces/x", "schemas"
    (shop / "shortlist.yaml").write_text(yaml.safe_dump(raw))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("SHORTLIST_DATA_DIR", "../shop/data")
    monkeypatch.setenv("COLUMNS", "80")
    before = sorted(tmp_path.rglob("*"))
    app(["check", "--config", "../shop/shortlist.yaml"], standalone_mode=False)
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "Pipeline  x; ../shop/shortlist.yaml"
    assert "Result    nothing stops a run before its first node" in out
    assert max(map(len, out.splitlines())) <= 80
    assert sorted(tmp_path.rglob("*")) == before
    assert pathlib.Path.cwd() == shop
    assert os.environ["SHORTLIST_DATA_DIR"] == str(shop / "data")
    assert folders.relative(tmp_path / "elsewhere" / "x") == "x"


@pytest.mark.parametrize(
    ("given", "entered"),
    [(None, "shop/data"), ("", "shop/data"), ("data", "elsewhere/data"), ("gs://bucket/data", None)],
)
def test_the_data_root_is_the_one_of_the_folder_it_was_given_in(tmp_path, monkeypatch, given, entered):
    shop = tmp_path / "shop"
    shop.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (shop / "shortlist.yaml").write_text(yaml.safe_dump(Project(shop).raw))
    monkeypatch.chdir(tmp_path / "elsewhere")
    if given is None:
        monkeypatch.delenv("SHORTLIST_DATA_DIR", raising=False)
    else:
        monkeypatch.setenv("SHORTLIST_DATA_DIR", given)
    Invocation.of(shop / "shortlist.yaml", None).load()
    assert pathlib.Path.cwd() == shop
    assert os.environ["SHORTLIST_DATA_DIR"] == (given if entered is None else str(tmp_path / entered))
