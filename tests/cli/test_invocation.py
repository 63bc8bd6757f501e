"""Commands that are printed for the user to type next: they name the same config, and work when pasted."""

from __future__ import annotations

import io
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest
import typer.main
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.lineage_store import PUSHED, StoreWriter
from cli import invocation as cli_invocation
from cli.app import app
from cli.invocation import Invocation, option
from cli.output import consoles, manual_pushes, results
from cli.run import next_commands
from shortlist.errors import BadInputError
from shortlist.summary import Summary
from tests.cli.output.test_results import _SUMMARY
from tests.components.indexer import stand_in

ROOT = pathlib.Path(__file__).parents[2]
_TEXT = st.text(st.characters(codec="utf-8", blacklist_characters="\0"), min_size=1, max_size=20)


def _commands(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        yield from _commands(command, (*path, name)) if hasattr(command, "commands") else ()


def _options(command):
    return {name for parameter in command.params for name in parameter.opts}


def test_every_command_that_reads_a_config_takes_set():
    reading = {
        path: _options(command)
        for path, command in _commands(typer.main.get_command(app))
        # `schema infer --config` names a file to write.
        if "--config" in _options(command) and path != ("schema", "infer")
    }
    assert {("recommend",), ("report",), ("lineage", "diff"), ("runs", "prune"), ("rollback",)} <= set(reading)
    assert [path for path, options in reading.items() if "--set" not in options] == []


@given(_TEXT, st.lists(_TEXT, max_size=3), _TEXT)
def test_a_command_has_the_users_words_for_any_shell(config, assignments, value):
    # A path without its spelling: `a//b` becomes `a/b`.
    config = str(pathlib.Path(config))
    words = shlex.split(Invocation(pathlib.Path(config), tuple(assignments)).command("x", *option("--query", value)))
    assert words[:2] == [".venv/bin/shortlist", "x"]
    joined = [word for name, text in (("--query", value), ("--config", config)) for word in option(name, text)]
    assert words[2:] == [*joined, *(word for text in assignments for word in option("--set", text))]


def test_a_command_that_never_means_the_demo_names_it(monkeypatch):
    monkeypatch.delenv("SHORTLIST_CONFIG", raising=False)
    monkeypatch.chdir(ROOT)
    demo = Invocation(ROOT / "configs" / "movielens_100k.yaml", ("train.seed=2",), found=True)
    assert demo.command("run") == ".venv/bin/shortlist run --set train.seed=2"
    for words in (("push", "--force"), ("rollback", "1")):
        assert " --config configs/movielens_100k.yaml" in demo.command(*words)
    # It has no --set.
    update = demo.command("schema", "infer", "--update")
    assert update == ".venv/bin/shortlist schema infer --update --config configs/movielens_100k.yaml"


def test_a_rejected_model_has_a_next_command():
    console = consoles.console(file=io.StringIO())
    manual_pushes.print_forced_push(Invocation(pathlib.Path("shop.yaml")), console)
    assert "push --force --reason TEXT --config shop.yaml" in console.file.getvalue()


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ("{here}/bin dir/shortlist", "'bin dir/shortlist'"),
        ("bin/shortlist", "bin/shortlist"),
        ("/opt/x/shortlist", "shortlist"),
        ("/elsewhere/shortlist", "/elsewhere/shortlist"),
        ("{here}/shortlist/__main__.py", "{python} -m shortlist"),
        ("pipeline_runner.py", "{python} pipeline_runner.py"),
        ("{here}/pipeline_runner.py", "{python} pipeline_runner.py"),
        ("/somewhere/pytest", ".venv/bin/shortlist"),
    ],
)
def test_a_command_begins_as_this_one_did(started, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [started.format(here=tmp_path)])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python"))
    monkeypatch.setattr(cli_invocation.shutil, "which", lambda name: f"/opt/x/{name}")
    command = Invocation(pathlib.Path("c.yaml")).command("run")
    assert command == expected.format(python="env/python") + " run --config c.yaml"


def test_the_installed_program_stands_for_pipeline_runner(tmp_path, monkeypatch):
    """`make run` starts pipeline_runner.py, but README and docs name the installed program."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "shortlist").touch()
    monkeypatch.setattr(sys, "argv", ["pipeline_runner.py"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python"))
    assert Invocation(pathlib.Path("c.yaml")).command("run") == "env/shortlist run --config c.yaml"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a pushed model, its lineage and its config, with names that a shell would take apart."""
    folder = tmp_path_factory.mktemp("my shop's")
    workspace = folder / "it's here; $HOME"
    made = StoreWriter(workspace, "shop")
    made.run(0, PUSHED, data="a")
    trained = stand_in.save_stand_in(folder / "trained", 30)
    _, exact = stand_in.save_both_models(folder, trained, 10, 5)
    shutil.copytree(exact, workspace / "serving" / "shop" / "1")
    (folder / "items.csv").write_text("item\n" + "\n".join(stand_in.candidate_ids(30)))
    (folder / "log.csv").write_text('user,item,time\n"-x \'1,""2""",item-3,1000000000\n')
    config = {
        "name": "shop",
        "workspace": "elsewhere",
        "data": {
            "schemas": "s",
            "interactions": {"path": "log.csv", "query_id": "user", "candidate_id": "item", "timestamp": "time"},
            "candidates": {"path": "items.csv", "candidate_id": "item"},
        },
    }
    (folder / "my shop.yaml").write_text(yaml.safe_dump(config))
    return folder


def _printed_next(folder: pathlib.Path, monkeypatch, *assignments: str) -> list[str]:
    """Returns the commands that a run prints below its summary."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(ROOT / "pipeline_runner.py")])
    invocation = Invocation(pathlib.Path("my shop.yaml"), assignments)
    summary = Summary.model_validate({**_SUMMARY, "status": "pushed", "pushed": {"version": 1, "path": "x"}})
    out = io.StringIO()
    commands = next_commands(invocation, invocation.load(), folder)
    results.print_summary(summary, folder / "summary.json", commands, None, consoles.console(file=out, width=80))
    lines = out.getvalue().splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith("Next ")]
    return [line[10:] for line in lines[start:]]


def test_what_a_run_prints_works_when_pasted(shop, monkeypatch):
    commands = _printed_next(shop, monkeypatch, "workspace=it's here; $HOME", "train.seed=2")
    assert len(commands) == 2
    for command, expected in zip(commands, ("History: 1 interactions", "shop version"), strict=True):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=shop,
            env={**os.environ, "SHORTLIST_DATA_DIR": str(shop), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout


def test_a_report_without_examples_leaves_no_query_on_the_screen(shop, monkeypatch):
    command, _ = _printed_next(shop, monkeypatch, "report.examples=false")
    assert "recommend --history '' --config" in command
    assert "-x " not in command
    shown, _ = _printed_next(shop, monkeypatch)
    assert shlex.split(shown)[2:3] == ['--query=-x \'1,"2"']


@pytest.mark.parametrize(
    "command", [("lineage",), ("lineage", "--why", "20260101T000000Z"), ("runs",), ("lineage", "--served")]
)
def test_set_reaches_the_commands_that_read_a_workspace(shop, command, monkeypatch, capfd):
    monkeypatch.chdir(shop)
    arguments = [*command, "--config", "my shop.yaml"]
    with pytest.raises(BadInputError, match="elsewhere"):
        app(arguments, standalone_mode=False)
    app([*arguments, "--set", "workspace=it's here; $HOME"], standalone_mode=False)
    assert capfd.readouterr().out


@pytest.mark.parametrize(
    "command", [("lineage", "--config", "x.yaml", "diff", "a", "b"), ("runs", "--set", "a=1", "prune")]
)
def test_an_option_before_the_subcommand_that_reads_it_is_refused(command):
    with pytest.raises(BadInputError, match=f"expected {command[1]} after `{command[3]}`, got it before"):
        app(list(command), standalone_mode=False)
