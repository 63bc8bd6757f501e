"""The pages of docs/tasks: their commands are valid, and those that need no training are run."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import typer
import yaml

from cli.app import app
from shortlist.config.load import load_config, parse_config
from shortlist.config.overrides import parse_overrides
from shortlist.notify.message import Ending, Message
from shortlist.tables import preflight
from tests.compatibility.restored import restore
from tests.shortlist.infer.test_guess import SHOP, shop_rows, write_csv

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "tasks"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
PROGRAM = ".venv/bin/shortlist"
# The version and the run that the pages name.
NAMED_VERSION, NAMED_RUN = "1796032970", "20261130T095607Z"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """Returns the words of the page's commands after the program's name."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines() if line.startswith(PROGRAM)]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def exported() -> dict[str, str]:
    """Returns the config that a page names for all its commands; it is that of the recorded workspace."""
    [value] = re.findall(r"^export SHORTLIST_CONFIG=(\S+)", PAGES["roll-back"], flags=re.MULTILINE)
    return {"SHORTLIST_CONFIG": value}


def shortlist(folder: pathlib.Path, *arguments: str, code: int = 0) -> str:
    """Runs a command in a folder and returns its output."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments],
        cwd=folder,
        env={**os.environ, "SHORTLIST_DATA_DIR": str(folder), **exported()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout + ended.stderr


def with_changes(config: dict, changes: dict) -> dict:
    """Returns a config whose sections are updated as a page says."""
    merged = {name: with_changes(value, {}) if isinstance(value, dict) else value for name, value in config.items()}
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = with_changes(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_one_screen_and_in_the_index(page):
    assert len(PAGES[page].splitlines()) <= 70
    assert f"(tasks/{page}.md)" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_every_command_and_option_exists(page):
    group = typer.main.get_command(app)
    for words in commands(page):
        command, context, rest = group, None, words
        while hasattr(command, "resolve_command"):
            context = command.make_context(None, [], parent=context, resilient_parsing=True)
            if not rest or command.get_command(context, rest[0]) is None:
                break
            command, rest = command.get_command(context, rest[0]), rest[1:]
        # A mistyped option or a missing argument is an error of the parser.
        command.make_context(" ".join(words), list(rest), resilient_parsing=False)


@pytest.mark.parametrize("page", ["change-the-loss", "filter", "retrain-every-day", "search-settings"])
def test_settings_for_a_run_are_valid(page):
    preset = ROOT / "configs" / "movielens_100k.yaml"
    raw = yaml.safe_load(preset.read_text(encoding="utf-8"))
    for text in blocks(page, "yaml"):
        parse_config(with_changes(raw, yaml.safe_load(text)), page)
    for words in commands(page):
        overrides = [value for option, value in itertools.pairwise(words) if option == "--set"]
        if overrides:
            load_config(preset, parse_overrides(tuple(overrides)))


def test_the_message_on_a_run_is_as_shown():
    [shown] = blocks("retrain-every-day", "json")
    message = Message.model_validate_json(shown)
    assert list(json.loads(shown)) == list(Message.model_fields)
    endings = {ending.value for ending in Ending}
    assert endings <= set(re.findall(r"`([a-z_]+)`", PAGES["retrain-every-day"]))
    assert message.status is Ending.NOT_BLESSED


@pytest.fixture
def shop(tmp_path):
    """A folder with a shop's log, and the first command of `bring your own data` run in it."""
    (tmp_path / "shop").mkdir()
    write_csv(tmp_path / "shop" / "orders.csv", SHOP, shop_rows())
    [infer, *_] = commands("bring-your-own-data")
    shortlist(tmp_path, *infer)
    return tmp_path


def test_your_own_data(shop):
    _, check, run, recommend = commands("bring-your-own-data")
    config = load_config(shop / run[run.index("--config") + 1])
    [text] = blocks("bring-your-own-data", "yaml")
    for table, section in yaml.safe_load(text)["data"].items():
        written = getattr(config.data, table)
        assert {key: getattr(written, key) for key in section} == section
    shortlist(shop, *check)
    assert "no model was pushed yet" in shortlist(shop, *recommend, code=2)


def test_a_feature_is_added(shop):
    update, run, *_ = commands("add-a-feature")
    path = shop / update[update.index("--config") + 1]
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    features = raw["data"]["candidates"]["features"]
    # As on the page: a feature with a name of its own, of a column that the file has.
    features["decade"] = yaml.safe_load(blocks("add-a-feature", "yaml")[0])["data"]["candidates"]["features"]["decade"]
    features["decade"]["column"] = "InvoiceDate"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    refusal = " ".join(shortlist(shop, *run, code=2).split())
    [printed] = re.findall(r"`(\S*shortlist schema infer [^`]+)` adds it", refusal)
    assert shlex.split(printed)[1:] == update
    assert "candidates: decade (BYTES" in shortlist(shop, *update)
    assert (
        preflight.check_schemas(load_config(path).data.model_copy(update={"schemas": str(shop / "schemas/shop")})) == []
    )


@pytest.fixture
def pushed(tmp_path):
    """A folder as after `make run`, with a small recorded workspace in place of MovieLens 100K's."""
    restore(tmp_path)
    text = (tmp_path / "circle.yaml").read_text(encoding="utf-8")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "movielens_100k.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "workspaces").mkdir()
    (tmp_path / "workspaces" / "movielens-100k").symlink_to(tmp_path / "workspace", target_is_directory=True)
    return tmp_path


def named(folder: pathlib.Path, words: list[str]) -> list[str]:
    """Returns a command with the recorded workspace's first version and first run for those of the page."""
    version = min(path.name for path in (folder / "workspace/serving/circle").iterdir() if path.name.isdigit())
    run = min(path.name for path in (folder / "workspace/runs").iterdir())
    return [{NAMED_VERSION: version, NAMED_RUN: run}.get(word, word) for word in words]


def test_a_rollback_and_the_questions_about_it(pushed):
    served, back, certain, *questions = [named(pushed, words) for words in commands("roll-back")]
    assert "run" in shortlist(pushed, *served)
    assert re.search(r"Undo .* rollback \d+", shortlist(pushed, *back))
    assert f"a copy of {certain[1]}" in shortlist(pushed, *certain)
    for words in questions:
        assert shortlist(pushed, *words)


def test_ml_metadata_is_read_with_its_own_client(pushed):
    [program] = blocks("read-ml-metadata", "python")
    ended = subprocess.run([sys.executable, "-c", program], cwd=pushed, capture_output=True, text=True, check=True)
    lines = ended.stdout.splitlines()
    pushes = [line for line in lines if re.match(r"\d{10} ", line)]
    assert len(pushes) == 2
    nodes = [line.split()[0] for line in lines if line.endswith(" s")]
    # Each node that did the work is there once, whatever the number of runs that found it in the cache.
    assert {"Windows", "Trainer", "Evaluator", "Indexer", "Pusher", "InteractionsGen", "CandidatesGen"} <= set(nodes)
    assert len(nodes) == len(set(nodes))
    data = [line.split(",")[0] for line in lines if re.search(r", SHA-256 [0-9a-f]{64}$", line)]
    assert sorted(data) == ["CandidatesGen read candidates.csv", "InteractionsGen read interactions.csv"]
    served = max(int(path.name) for path in (pushed / "workspace/serving/circle").iterdir() if path.name.isdigit())
    assert f"served: {served}" in lines
