"""Configs that try to run code, to fill the memory, or that hold a secret."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

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


@pytest.mark.parametrize(
    ("first", "level"), [("[x, x]", "[{}]"), ("{k: 1}", "{{<<: [{}]}}")], ids=["lists", "merged mappings"]
)
def test_aliases_that_multiply_are_counted_as_what_they_stand_for(tmp_path, first, level):
    # Nine levels of ten: a billion items, if they were written out.
    levels = [f"a0: &a0 {first}"]
    levels += [f"a{n}: &a{n} {level.format(', '.join([f'*a{n - 1}'] * 10))}" for n in range(1, 10)]
    said = in_seconds(2, lambda: refusal(tmp_path, "\n".join([*levels, "name: *a9"])))
    assert "expected at most 20,000 keys and values, aliases counted as what they stand for, got more (line 5" in said


def test_an_alias_of_itself(tmp_path):
    assert "the alias 'a' is part of what it stands for (line 1" in refusal(tmp_path, "name: &a {b: *a}")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("".join(f"k{n}: 1\n" for n in range(60_000)), "expected at most 20,000 keys and values"),
        ("".join(f"k{n}: 1\n" for n in range(9_000)), "and 8,983 more problems"),
        (f"train: {{{', '.join(f'k{n}: 1' for n in range(60_000))}}}", "expected at most 20,000 keys and values"),
        (f"evaluate: {{ks: [{'1,' * 300_000}]}}", "expected at most 20,000 keys and values"),
        (f"name: {'k' * 900_000}", "name: expected text of at most 100,000 characters, got 'kkkk"),
        (f"? {'k' * 900_000}\n: 1", "expected keys of at most 1,000 characters, got 'kkkk"),
        (f"train: {{seed: 0x{'f' * 900_000}}}", "expected a whole number of at most 400 characters"),
        (f"train: {{seed: 1{':59' * 300_000}}}", "expected a whole number of at most 400 characters"),
        ("a: " + "[" * 300_000, "nested too deeply"),
        (f"data: {{interactions: {{path: {'a' * 90_000}}}}}", "a path of at most 4,096 characters, got 90,000"),
        (f"data: {{interactions: {{path: x, filter: 'a in ({'1, ' * 250_000})'}}}}", "at most 100,000 characters"),
        (f"data: {{interactions: {{path: x, filter: '{'not ' * 20_000}a == 1'}}}}", "nested too deeply"),
    ],
    ids=["keys", "unknown", "section", "list", "value", "key", "hex", "base 60", "deep", "path", "filter", "nots"],
)
def test_a_large_config_is_refused_in_seconds_and_in_a_short_message(tmp_path, text, part):
    said = in_seconds(10, lambda: refusal(tmp_path, text))
    assert part in said
    assert len(said) < 10_000


@pytest.mark.parametrize(
    "assignment",
    ["train" + ".a" * 50_000 + "=1", "a" * 10**6 + "=1", f"train.seed=[{'1,' * 10**5}1]", f"name={'n' * 10**6}"],
    ids=["path", "key", "list", "text"],
)
def test_a_large_value_of_the_command_line_is_refused_in_seconds(tmp_path, assignment):
    (tmp_path / "c.yaml").write_text("name: a\n")

    def load() -> str:
        with pytest.raises(ConfigError) as refused:
            load_config(tmp_path / "c.yaml", parse_overrides([assignment]))
        return str(refused.value)

    assert len(in_seconds(10, load)) < 10_000


def in_seconds(seconds: float, refused: Callable[[], str]) -> str:
    start = time.perf_counter()
    said = refused()
    assert time.perf_counter() - start < seconds
    return said


@pytest.mark.parametrize("value", ["{}", "[{}]", "{{path: [{}]}}"])
@pytest.mark.parametrize("secret", ["s3://KEY:hunter2@bucket/log.csv", f"https://h/x?{'a' * 500}&sig=hunter2"])
def test_a_value_of_the_wrong_type_is_shown_without_its_secret(tmp_path, value, secret):
    said = refusal(tmp_path, f"train: {value.format(repr(secret))}\n")
    assert "hunter2" not in said
    assert "train: expected a section of keys and values" in said or "unknown key 'train.path'" in said


def test_a_long_value_is_cut(tmp_path):
    said = refusal(tmp_path, f"train: {'x' * 5000}\n")
    assert f"got '{'x' * 199}..." in said
