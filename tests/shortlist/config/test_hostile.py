"""Every key of the config with hostile values, by a walk of the schema: a new key is covered by itself.

A value is accepted or refused by one short ConfigError, which names the key by its path. Nothing else is ever raised.
"""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL
from tests.shortlist.config.test_problems import PLACES, PYDANTICS, Place

DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]
CYCLE: dict[str, Any] = {}
CYCLE["a"] = CYCLE

# Of every kind that YAML can write, other than texts.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "empty list": [],
    "empty mapping": {},
    "nested": [[{"a": [1]}]],
    "200 lists": DEEP,
    "cycle": CYCLE,
    "10,000 values": list(range(10_000)),
    "10,000 keys": {f"k{number}": number for number in range(10_000)},
    "date": datetime.date(2024, 1, 2),
    "time": datetime.datetime(2024, 1, 2, 3, 4, 5),
    "time with a zone": datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc),
    "zero": 0,
    "negative": -1,
    "2 ** 200": 2**200,
    "400 digits": 10**399,
    "1e308": 1e308,
    "tiny": 5e-324,
    "nan": float("nan"),
    "inf": float("-inf"),
    "number as key": {1: 2},
    "null as key": {None: None},
    "date as key": {datetime.date(2024, 1, 2): 1},
    "empty key": {"": ""},
    "long key": {"k" * 900: "v"},
    "too long key": {"k" * 5000: "v"},
    "line end in a key": {"a\nb": 1},
    "nul in a key": {"a\0": 1},
}
TEXTS: dict[str, str] = {
    "empty": "",
    "blanks": "  ",
    "tab": "\t",
    "line ends": "a\nb\r\u2028c",
    "nul": "a\0b",
    "half a character": "a\ud800",
    "byte of another encoding": "a\udcff",
    "9,000 characters": "x" * 9_000,
    "100,001 characters": "x" * 100_001,
    "markup": "[/bold]<script>&",
    "parents": "../..",
    "root": "/",
    "home": "~",
    "escape sequence": "\x1b[2J",
    "direction": "a\u202eb",
    "emoji": "🦊",
    "format": "%s{0}{x}${HOME}",
    "quotes": "'\"`;--",
    "pattern": "[*?",
    "unterminated": "(a",
    "number": "007",
    "date": "2026-99-99",
    "address": "http://[::1",
    "signed address": "s3://KEY:hunter2@bucket/x",
    "option": "--help",
}
# A text without one visible character has a meaning here only.
BLANK_ALLOWED = {
    "kubeflow.defaults.env.features": "a variable may be empty",
    "kubeflow.tasks.features.env.features": "a variable may be empty",
    "kubeflow.defaults.node_selector.features": "a label may be empty",
    "kubeflow.tasks.features.node_selector.features": "a label may be empty",
    "data.interactions.delimiter": "fields may be separated by blanks",
    "data.candidates.delimiter": "fields may be separated by blanks",
    "data.queries.delimiter": "fields may be separated by blanks",
    "data.interactions.features.features.delimiter": "values may be separated by blanks",
    "data.candidates.features.features.delimiter": "values may be separated by blanks",
    "data.queries.features.features.delimiter": "values may be separated by blanks",
    "tune.space.features.values.0": "checked by the setting",
}


def _id(place: Place) -> str:
    return " ".join([place.dotted, *(kind for _, kind in place.tags)])


def problems_of(place: Place, value: object) -> list[str]:
    """Returns the sentences about a value; asserts that nothing but a ConfigError is raised, soon and in short."""
    raw = place.raw(value)
    started = time.monotonic()
    try:
        parse_config(raw, "x.yaml")
    except ConfigError as error:
        said = str(error)
    else:
        return []
    finally:
        assert time.monotonic() - started < 5.0, place.dotted
    assert "\n" not in said
    assert "hunter2" not in said
    assert said.startswith("x.yaml: ")
    sentences = re.split(r"; (?=the key |unknown key |and [0-9]|[a-z]+[.:])", said.removeprefix("x.yaml: "))
    for sentence in sentences:
        assert len(sentence) < 900, sentence
        assert not PYDANTICS.search(re.sub(r"'.*'|\(invalid .*\)", "", sentence)), sentence
    return sentences


def named(place: Place, sentences: list[str]) -> list[str]:
    """Returns the sentences that name a key, one of its children or of its parents."""
    names = place.path if isinstance(place.path[-1], str) else place.path[:-1]
    path = re.escape(".".join(map(str, names)))
    parents = "|".join(re.escape(".".join(map(str, names[:length]))) for length in range(1, len(names)))
    child = re.compile(rf"(unknown key '|the key ')?{path}[.:']")
    # A check of several keys names their section; its sentence names the keys.
    parent = re.compile(rf"({parents or path}): .*{re.escape(str(names[-1]))}")
    return [sentence for sentence in sentences if child.match(sentence) or parent.match(sentence)]


@pytest.mark.parametrize("place", PLACES, ids=_id)
def test_hostile_value(place):
    for name, value in VALUES.items():
        sentences = problems_of(place, value)
        kind = place.schema.get("type")
        wrong = isinstance(value, list | dict) and kind in ("string", "integer", "number", "boolean")
        wrong |= (
            not isinstance(value, str)
            and kind == "string"
            and value is not None
            and place.schema.get("format") != "date"
        )
        if wrong:
            assert named(place, sentences), (name, sentences)


@pytest.mark.parametrize("place", PLACES, ids=_id)
def test_hostile_text(place):
    for name, text in TEXTS.items():
        sentences = problems_of(place, text)
        is_unusable = name in ("nul", "half a character", "byte of another encoding", "100,001 characters")
        if is_unusable or place.schema.get("type") in ("integer", "array", "object"):
            short_form = name != "number" and place.schema.get("type") == "integer"
            if is_unusable or short_form:
                assert named(place, sentences), (name, sentences)


TEXT_PLACES = [place for place in PLACES if place.schema.get("type") == "string"]


@pytest.mark.parametrize("place", [place for place in TEXT_PLACES if place.dotted not in BLANK_ALLOWED], ids=_id)
def test_blank_text_is_refused(place):
    for text in ("", " ", "\t", "\u00a0"):
        found = named(place, problems_of(place, text))
        # Some are only refused together with other keys of their section.
        others = [sentence for sentence in problems_of(place, text) if sentence.startswith("the key ")]
        assert found or others, (place.dotted, text)


@pytest.mark.parametrize(
    "key",
    [
        "workspace",
        "data.source",
        "data.schemas",
        "data.interactions.path",
        "data.candidates.path",
        "kubeflow.host",
        "kubeflow.experiment",
        "kubeflow.pipeline_root",
        "kubeflow.data_root",
        "kubeflow.serving_dir",
        "kubeflow.volumes.0.path",
    ],
)
def test_path_or_address_has_no_control_characters(key):
    (place,) = (place for place in PLACES if place.dotted == key)
    for text in ("/a\nb", "/a\tb", "/a\x1b[2Jb", "/a\x7f", "/a\x85b"):
        assert named(place, problems_of(place, text)), text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text() | st.integers(), children, max_size=3),
    max_leaves=6,
)


@hypothesis.given(st.sampled_from(PLACES), json_values)
@hypothesis.settings(max_examples=600)
def test_any_value_at_any_key(place, value):
    problems_of(place, value)


@hypothesis.given(st.dictionaries(st.sampled_from(sorted(MINIMAL)) | st.text(), json_values, max_size=4))
@hypothesis.settings(max_examples=200)
def test_any_mapping_is_a_config_or_one_error(raw):
    problems_of(Place((), (), {})._replace(path=("name",)), raw.get("name"))
    try:
        parse_config(raw, "x.yaml")
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017  an accepted mapping is as good


@pytest.mark.parametrize("workspace", ["x" * 256, "a/" + "é" * 128 + "/b", "abc/" * 1000])
def test_workspace_that_no_disk_takes(workspace):
    (place,) = (place for place in PLACES if place.dotted == "workspace")
    (sentence,) = problems_of(place, workspace)
    assert sentence.startswith("workspace: expected a path of at most 3,000 bytes")
