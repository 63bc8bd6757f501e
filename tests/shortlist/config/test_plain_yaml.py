"""Configs and `--set` options as hostile text: one ConfigError in one sentence, whatever PyYAML raises."""

from __future__ import annotations

import pathlib
import re
import time

import hypothesis
import hypothesis.strategies as st
import pytest

from pipeline.kubeflow.package import Package
from shortlist.config import plain_yaml, problems, texts
from shortlist.config.load import load_config, parse_config
from shortlist.config.overrides import parse_overrides
from shortlist.errors import BadInputError, ConfigError
from shortlist.runs import filters
from tests.shortlist.config.test_load import MINIMAL

SMOKE = pathlib.Path(__file__).parents[3] / "configs" / "smoke.yaml"

# PyYAML's safe loader raises KeyError, ValueError, IndexError and AttributeError for these, or accepts them.
NOT_PLAIN = {
    "!!bool abc": "expected true or false, got 'abc' (line 1, column 1)",
    "!!bool ''": "expected true or false, got ''",
    "!!int abc": "expected a whole number, got 'abc'",
    "!!int ''": "expected a whole number, got ''",
    "!!int 0x": "expected a whole number, got '0x'",
    "!!float x": "expected a number, got 'x'",
    "!!float ''": "expected a number, got ''",
    "!!timestamp x": "expected a date or time, got 'x'",
    "2026-99-99": "expected a date or time, got '2026-99-99'",
    "2024-01-01T99:00:00": "expected a date or time",
    "2024-01-01 10:00:00 +99:99": "expected a date or time",
    "9" * 399: None,
    "9" * 401: "expected a whole number of at most 400 characters, got 401",
    "0x" + "f" * 5000: "expected a whole number of at most 400 characters, got 5,002",
    ":".join(["59"] * 100_000): "expected a whole number of at most 400 characters",
    "{a: 1, a: 2}": "the key 'a' is repeated (line 1, column 8)",
    "{a: {b: 1, 'b': 2}}": "the key 'b' is repeated",
    "!!binary aGVsbG8=": "could not determine a constructor for the tag",
    "!!set {a}": "could not determine a constructor for the tag",
    "!!omap [a: 1]": "could not determine a constructor for the tag",
    "!!python/name:os.system": "could not determine a constructor for the tag",
    "!!python/object/apply:os.system [x]": "could not determine a constructor for the tag",
    "=": "could not determine a constructor for the tag",
    "<<: 1": "expected a mapping",
    "? [a]\n: 1": "found unhashable key",
    "*a": "found undefined alias 'a'",
    "[": "expected the node content",
    "\t": "cannot start any token",
    "\0": "special characters are not allowed (character 1)",
    "\udcff": "special characters are not allowed (character 1)",
    "[" * 5000: "it is nested too deeply",
    "--- 1\n--- 2": "expected a single document",
    "%": "while scanning a directive",
}
SENTENCES = [(text, sentence) for text, sentence in NOT_PLAIN.items() if sentence is not None]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text[:20] for text, _ in SENTENCES])
def test_text_that_is_not_plain_yaml(text, sentence):
    for read, error in (
        (lambda: plain_yaml.parse(text), plain_yaml.NotPlainYaml),
        (lambda: parse_overrides([f"train.seed={text}"]), ConfigError),
        (lambda: filters.read_where([f"train.seed={text}"]), BadInputError),
        # A package may have several documents.
        (lambda: Package.from_yaml(text + "\n--- {}\n--- {}", "x.yaml"), ConfigError),
    ):
        started = time.monotonic()
        with pytest.raises(error) as refused:
            read()
        assert time.monotonic() - started < 5.0
        said = str(refused.value)
        assert "\n" not in said
        if error is not ConfigError or said.startswith("--set"):
            assert sentence in said


def test_numbers_dates_and_merged_keys_are_plain():
    text = "base: &b {x: 1, y: 0x10}\nown: {<<: *b, y: 2}\nday: 2024-01-02\nlong: " + "9" * 399
    assert plain_yaml.parse(text)["own"] == {"x": 1, "y": 2}


def reason_of(text: str) -> str:
    """Returns the reason why a text is not plain YAML; empty if it is."""
    try:
        plain_yaml.parse(text)
    except plain_yaml.NotPlainYaml as error:
        return str(error)
    return ""


@hypothesis.given(st.text(alphabet="!&*[]{}:,-?|>%@`'\"#<=~ \n\tabt019.xe_+T", max_size=40))
@hypothesis.settings(max_examples=400)
def test_any_text_is_a_value_or_one_error(text):
    assert "\n" not in reason_of(text)


@hypothesis.given(st.sampled_from(["!!bool", "!!int", "!!float", "!!timestamp", "!!null", "!!str", ""]), st.text())
@hypothesis.settings(max_examples=400)
def test_any_scalar_of_any_tag_is_a_value_or_one_error(tag, text):
    quoted = text.replace("'", "''")
    assert "\n" not in reason_of(f"{tag} '{quoted}'")


FILES = {
    "empty": (b"", "expected a mapping at the top"),
    "a list": (b"- 1", "expected a mapping at the top"),
    "with a byte order mark": (b"\xef\xbb\xbfmodle: 1", "unknown key 'modle'; did you mean 'model'?"),
    "utf-16": ("name: a".encode("utf-16"), "expected a text in UTF-8, got byte 0xff at position 0; save it as UTF-8"),
    "utf-16 without a mark": ("name: a".encode("utf-16-le"), "special characters are not allowed (character 2)"),
    "latin 1": ("name: é".encode("latin-1"), "expected a text in UTF-8, got byte 0xe9 at position 6"),
    "binary": (bytes(range(256)), "expected a text in UTF-8"),
    "tabs": (b"name:\n\tx: 1", "cannot start any token (line 2, column 1)"),
    "repeated section": (b"train: {}\nname: a\ntrain: {}", "the key 'train' is repeated (line 3, column 1)"),
    "two megabytes": (b"a" * 2_000_000, "expected a config file of at most 1,000,000 bytes, got more"),
}


@pytest.mark.parametrize(("content", "sentence"), FILES.values(), ids=FILES)
def test_file_that_is_no_config(tmp_path, content, sentence):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (".", "expected a config file that can be read, got: Is a directory"),
        ("/dev/zero", "expected a config file of at most 1,000,000 bytes"),
        ("/dev/null", "expected a mapping at the top"),
        ("configs/smoke.yaml/x", "got: Not a directory"),
        ("x" * 5000, "got: File name too long"),
        ("x\0", "got: embedded null byte"),
        ("x\ud800", "surrogates not allowed"),
    ],
)
def test_path_that_is_no_config(path, sentence):
    started = time.monotonic()
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        load_config(path)
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("x", "--set 'x': expected KEY=VALUE"),
        ("=", "--set '=': expected KEY=VALUE"),
        ("", "--set '': expected KEY=VALUE"),
        ("a.b.c.d=1", "unknown key 'a'"),
        ("train..seed=1", "unknown key 'train.'"),
        (".=1", "unknown key ''"),
        ("train.seed =1", "unknown key 'train.seed '; did you mean 'seed'?"),
        ("data.interactions.path.x=1", "data.interactions.path.x cannot be set, because path is not a section"),
        ("evaluate.ks.0=1", "evaluate.ks: expected a list of at most 100 values, got {'0': 1}"),
        ("train.seed=2026-99-99", "expected a date or time, got '2026-99-99'"),
        ("train.seed=!!bool abc", "expected true or false, got 'abc'"),
        ("a\udcff=1", "top: expected keys without NUL characters"),
    ],
)
def test_override_that_sets_nothing(assignment, sentence):
    with pytest.raises(ConfigError) as refused:
        load_config(SMOKE, parse_overrides([assignment]))
    assert sentence in str(refused.value)


@pytest.mark.parametrize("character", ["\0", chr(0xD800), chr(0xDCFF)])
@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (lambda bad: {**MINIMAL, "workspace": f"a{bad}"}, "workspace"),
        (lambda bad: {**MINIMAL, "evaluate": {"slices": ["a", bad]}}, "evaluate.slices.1"),
        (
            lambda bad: {**MINIMAL, "kubeflow": {"image": "i", "defaults": {"env": {"A": bad}}}},
            "kubeflow.defaults.env.A",
        ),
        (lambda bad: {**MINIMAL, "data": {bad: 1}}, "data: "),
    ],
)
def test_text_that_cannot_be_stored_is_refused_wherever_it_is(raw, path, character):
    with pytest.raises(ConfigError) as refused:
        parse_config(raw(f"x{character}"), "x.yaml")
    assert str(refused.value).startswith(f"x.yaml: {path}")
    assert re.search("expected (text|keys) without NUL characters", str(refused.value))
    assert "lone surrogates" in str(refused.value)
    assert texts.is_usable(str(refused.value))


def test_aliases_and_cycles_are_visited_once():
    level: object = ["\0"]
    for _ in range(60):
        level = [level, level]
    cycle: dict[str, object] = {"a": level}
    cycle["b"] = cycle
    found = texts.first_unusable(cycle)
    assert found is not None
    assert found.value == "\0"


def test_whole_numbers_that_python_does_not_print_are_shown():
    for value in (2**60_000, [2**60_000], {2**60_000: 1}):
        assert "a whole number of 60,001 bits" in problems.shown(value)
