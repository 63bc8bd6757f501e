"""Configs that try to run code, to fill the memory, or that hold a secret."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from shortlist.config.load import load_config
from shortlist.config.overrides import parse_overrides
from shortlist.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[3]


def refusal(tmp_path: pathlib.Path, text: str) -> str:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def tags_that_touch(path: pathlib.Path) -> list[str]:
    """YAML values that make a file with any of PyYAML's loaders but the safe one."""
    return [
        f"!!python/object/apply:os.system ['touch {path}']",
        f"!!python/object/new:os.system ['touch {path}']",
        f"!!python/object/apply:subprocess.call [[touch, {path}]]",
        f"!!python/object/apply:builtins.exec [\"open('{path}', 'w')\"]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [1]",
    ]


def test_a_tag_that_runs_code_is_refused_and_not_run(tmp_path):
    for tag in tags_that_touch(tmp_path / "ran"):
        said = refusal(tmp_path, f"name: {tag}\n")
        assert said.startswith(f"{tmp_path / 'c.yaml'}: not plain YAML: could not determine a constructor for the tag")
        with pytest.raises(ConfigError, match="the value is not plain YAML"):
            parse_overrides([f"name={tag}"])
    assert not (tmp_path / "ran").exists()


def test_the_command_ends_with_2_and_one_sentence(tmp_path):
    (tmp_path / "c.yaml").write_text(f"name: {tags_that_touch(tmp_path / 'ran')[0]}\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline_runner.py"), "run", "--config", str(tmp_path / "c.yaml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: {tmp_path / 'c.yaml'}: not plain YAML: ")
    assert not (tmp_path / "ran").exists()


def test_aliases_that_multiply_make_a_short_sentence(tmp_path):
    # Nine levels of ten: a billion items, if they were written out.
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    said = refusal(tmp_path, "\n".join([*levels, "name: *a9"]))
    assert "name: expected a text, got [[[...]" in said
    assert len(said) < 1000


def test_an_alias_of_itself(tmp_path):
    assert "name: expected a text, got" in refusal(tmp_path, "name: &a {b: *a}")


@pytest.mark.parametrize("value", ["{}", "[{}]", "{{path: [{}]}}"])
@pytest.mark.parametrize("secret", ["s3://KEY:hunter2@bucket/log.csv", f"https://h/x?{'a' * 500}&sig=hunter2"])
def test_a_value_of_the_wrong_type_is_shown_without_its_secret(tmp_path, value, secret):
    said = refusal(tmp_path, f"train: {value.format(repr(secret))}\n")
    assert "hunter2" not in said
    assert "train: expected a section of keys and values" in said or "unknown key 'train.path'" in said


def test_a_long_value_is_cut(tmp_path):
    said = refusal(tmp_path, f"train: {'x' * 5000}\n")
    assert f"got '{'x' * 199}..." in said
