"""Every numeric option of every command has bounds, found by a walk of the commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
import typer

from cli.app import app
from shortlist.config.section import MAX_SEED
from tests.cli.test_errors import ROOT

# Names of folders, each looked up: any number that is not one is refused.
NAMES = {("rollback", "version"), ("lineage", "version")}


def options(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Parameter]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from options(below, (*path, name))
    for option in command.params:
        yield path, option


NUMBERS = [
    (path, option)
    for path, option in options(typer.main.get_command(app))
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
]


def test_the_walk_finds_options():
    assert {("recommend", "k"), ("runs", "limit"), *NAMES} <= {(path[-1], option.name) for path, option in NUMBERS}


@pytest.mark.parametrize(
    ("path", "option"), NUMBERS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.name
)
def test_number_of_an_option_has_bounds(path, option):
    if (path[-1], option.name) in NAMES:
        return
    assert option.type.min is not None
    assert option.type.max is not None
    beyond = [option.type.min - 1, option.type.max + 1, 2**200, "9" * 5000, "1e3", "nan", "true", "", "\0", "²"]
    for value in beyond:
        with pytest.raises(click.BadParameter):
            option.type.convert(str(value), option, None)
    for value in (option.type.min, option.type.max):
        assert option.type.convert(str(value), option, None) == value


def test_ablate_has_room_for_its_seeds():
    options_ = ["--config", str(ROOT / "configs" / "smoke.yaml"), "--set", f"train.seed={MAX_SEED - 1}", "--seeds", "3"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "ablate", *options_], capture_output=True, text=True
    )
    assert done.returncode == 2
    expected = f"train.seed: expected at most {MAX_SEED - 2:,} with --seeds 3, got {MAX_SEED - 1:,}"
    assert done.stderr.splitlines() == [f"Error: {expected}"]
