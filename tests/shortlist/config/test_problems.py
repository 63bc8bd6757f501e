"""Every key of the config, misspelled and with wrong values: errors name the key as the file has it.

The keys come from pydantic's JSON schema, not from the walk of the types that is tested.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from shortlist.config.config import Config
from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL

SCHEMA = Config.model_json_schema()
# Names that are kinds, too: the location of an error must not be read by names.
NAMES = ("genres", "features", "history", "corpus", "direct")
PYDANTICS = re.compile(
    r"input should|input tag|valid |\bunion\b|type=|discriminator|field required|dictionary|tuple|instance of|"
    r"unable to|greater than|less than|pydantic|should have|should match|extra inputs|keys should",
    re.IGNORECASE,
)

LIMITS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}


class Place(NamedTuple):
    """A type in the config."""

    path: tuple[str | int, ...]
    tags: tuple[tuple[tuple[str | int, ...], str], ...]
    """Paths and values of the kinds on the way."""
    schema: dict[str, Any]

    @property
    def dotted(self) -> str:
        return ".".join(map(str, self.path))

    def raw(self, value: object = None) -> dict[str, Any]:
        """A config with `value` there; it may lack other required keys."""
        raw = copy.deepcopy(MINIMAL)
        for path, kind in self.tags:
            _put(raw, path, kind)
        _put(raw, self.path, value)
        return raw


def places(name: str) -> list[Place]:
    return list(_places(Place((), (), SCHEMA), name))


def _places(at: Place, name: str) -> Iterator[Place]:
    """Yields all types of the config; `name` stands for a mapping's key."""
    schema = at.schema
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    some = [member for member in schema.get("anyOf", []) if member != {"type": "null"}]
    if len(some) == 1:
        limits = {key: value for key, value in schema.items() if key in LIMITS}
        yield from _places(at._replace(schema={**some[0], **limits}), name)
        return
    # Pydantic's own names, where a limit is not next to the plain type.
    schema = {LIMITS.get(key, key): value for key, value in schema.items()}
    yield at._replace(schema=schema)
    if "discriminator" in schema:
        tag = schema["discriminator"]["propertyName"]
        for kind, ref in schema["discriminator"]["mapping"].items():
            yield from _places(Place(at.path, (*at.tags, ((*at.path, tag), kind)), {"$ref": ref}), name)
        return
    for key, child in schema.get("properties", {}).items():
        yield from _places(Place((*at.path, key), at.tags, child), name)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _places(Place((*at.path, name), at.tags, schema["additionalProperties"]), name)
    if "items" in schema:
        yield from _places(Place((*at.path, 0), at.tags, schema["items"]), name)


def _put(raw: Any, path: tuple[str | int, ...], value: object) -> None:
    for part, after in itertools.pairwise(path):
        if isinstance(part, str):
            # A short form (`title: text`) gives way.
            if not isinstance(raw.get(part), dict | list):
                raw[part] = [None] if after == 0 else {}
        elif not isinstance(raw[part], dict | list):
            raw[part] = {}
        raw = raw[part]
    raw[path[-1]] = value


def refusal(raw: dict[str, Any]) -> str:
    """Returns the error of a config without the name of its file; empty if it has none."""
    try:
        parse_config(raw, "x.yaml")
    except ConfigError as error:
        return str(error).removeprefix("x.yaml: ")
    return ""


def misspelled(key: str) -> list[str]:
    """Returns a key with a letter twice, with one missing, and with two swapped."""
    middle = len(key) // 2
    doubled = key[: middle + 1] + key[middle:]
    if len(key) < 3:
        return [doubled]
    swapped = key[: middle - 1] + key[middle] + key[middle - 1] + key[middle + 1 :]
    return [doubled, key[:middle] + key[middle + 1 :], swapped]


def _id(place: Place) -> str:
    return " ".join([place.dotted or "top", *(kind for _, kind in place.tags)])


SECTIONS = [place for place in places("features") if "properties" in place.schema]


def test_the_walk_finds_every_section():
    found = {(place.dotted, place.tags[-1][1] if place.tags else None) for place in SECTIONS}
    assert ("data.candidates.features.features", None) in found
    assert ("train.loss", "in_batch") in found
    assert ("kubeflow.tasks.features.secret_env.features", None) in found
    assert ("tune.space.features", None) in found
    assert ("kubeflow.volumes.0", None) in found
    assert len(found) == len(SECTIONS) > 40


@pytest.mark.parametrize("section", SECTIONS, ids=_id)
def test_a_misspelled_key_is_named_by_its_path_with_the_key_that_was_meant(section):
    keys = section.schema["properties"]
    for key in keys:
        for wrong in misspelled(key):
            if wrong in keys:
                continue
            place = section._replace(path=(*section.path, wrong))
            assert f"unknown key {place.dotted!r}; did you mean {key!r}?" in refusal(place.raw(1))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_a_kind_too_stays_in_the_path(name):
    feature = Place(("data", "candidates", "features", name, "delimter"), (), {})
    expected = f"unknown key 'data.candidates.features.{name}.delimter'; did you mean 'delimiter'?"
    assert expected in refusal(feature.raw("|"))


def wrong_values(schema: dict[str, Any]) -> list[object]:
    """Returns values that a type of the config refuses."""
    kind = schema.get("type")
    if "anyOf" in schema:
        return [[1], {"a": 1}]
    if "discriminator" in schema or "properties" in schema:
        return ["many", 3, True]
    if "enum" in schema or "const" in schema:
        return ["many", 3, [], {"a": 1}]
    if kind in ("integer", "number"):
        limits = [schema["minimum"] - 1] if "minimum" in schema else []
        limits += [schema["maximum"] + 1] if "maximum" in schema else []
        limits += [schema[limit] for limit in ("exclusiveMinimum", "exclusiveMaximum") if limit in schema]
        return ["many", [], {"a": 1}, math.nan, math.inf, *limits, *([8.5] if kind == "integer" else [])]
    if kind == "string":
        return [[], {"a": 1}, *(["many"] if "pattern" in schema and "gs" in schema["pattern"] else [])]
    by_type: dict[str, list[object]] = {
        "boolean": ["maybe", 3, [], {"a": 1}],
        "array": ["many", 3, {"a": 1}, [[1]]],
        "object": ["many", 3, [1]],
    }
    return by_type[str(kind)]


PLACES = [place for place in places("features") if place.path]


@pytest.mark.parametrize("place", PLACES, ids=_id)
def test_a_wrong_value_is_named_by_its_path_in_plain_words(place):
    for value in wrong_values(place.schema):
        said = refusal(place.raw(value))
        # Beside it, keys that this config lacks are named.
        own = [part for part in re.split("; (?=the key |[a-z]+[.:])", said) if part.startswith(f"{place.dotted}")]
        assert own, (value, said)
        assert all(re.match(rf"{re.escape(place.dotted)}[.:]", part) for part in own), (value, said)
        assert not PYDANTICS.search(said), (value, said)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("train", "loss"), {"kind": "bpr"}, "train.loss.kind: 'bpr' is not one of corpus, in_batch, sampled"),
        (("train", "loss"), {"kind": [1]}, "train.loss.kind: [1] is not one of corpus, in_batch, sampled"),
        (("train", "loss"), {}, "the key 'train.loss.kind' is required, one of corpus, in_batch, sampled"),
        (
            ("train", "loss"),
            3,
            "train.loss: expected a section with the key 'kind', one of corpus, in_batch, sampled, got 3",
        ),
        (("train", "schedule"), "linear", "train.schedule: 'linear' is not one of constant, cosine"),
        (("train", "epochs"), "many", "train.epochs: expected a whole number, at least 1, at most 100,000, got 'many'"),
        (("train", "learning_rate"), 0, "train.learning_rate: expected a number, at least 1e-12, at most 10, got 0"),
        (("train", "learning_rate"), math.inf, "train.learning_rate: expected a finite number, got inf"),
        (
            ("data", "windows", "max_history"),
            10**6,
            "data.windows.max_history: expected a whole number, at least 1, at most 10,000, got 1000000",
        ),
        (("model", "normalize"), "maybe", "model.normalize: expected true or false, got 'maybe'"),
        (("evaluate", "ks"), 5, "evaluate.ks: expected a list of at most 100 values, got 5"),
        (("evaluate", "ks"), ["x"], "evaluate.ks.0: expected a whole number, at least 1, at most 10,000, got 'x'"),
        (("name",), 7, "name: expected a text, got 7; put it in quotes"),
        (
            ("name",),
            datetime.date(2024, 1, 2),
            "name: expected a text, got 2024-01-02; put it in quotes",
        ),
        (
            ("data", "queries"),
            {"path": "q.csv", "features": {7: "text"}},
            "data.queries.features.7: expected a text as the key, got 7; put it in quotes",
        ),
        (("data", "queries"), 3, "data.queries: expected a section with the key 'path', got 3"),
        (
            ("data", "interactions", "earliest"),
            "x",
            "data.interactions.earliest: expected a date such as 2024-12-31, got 'x'",
        ),
        (
            ("tune", "space"),
            {"train.epochs": [[1]]},
            "tune.space.train.epochs.values.0: expected true or false, a whole number, a number or a text, got [1]",
        ),
        (("kubeflow",), {"image": "a", "defaults": {"env": {"1A": "b"}}}, "kubeflow.defaults.env.1A: expected an env"),
        # In another member of the union, elsewhere in the config, nowhere.
        (
            ("train", "loss"),
            {"kind": "corpus", "logq": True},
            "'train.loss.logq'; it is a key of kind: in_batch or sampled",
        ),
        (("metadata",), {"kind": "sqlite", "host": "h"}, "'metadata.host'; it is a key of kind: mysql or postgresql"),
        (("batchsize",), 1, "unknown key 'batchsize'; did you mean 'train.batch_size'?"),
        (("model", "dropout"), 0.1, "did you mean 'model.query_tower.dropout' (kind: features or history)?"),
        (("data", "delimiter"), "|", "did you mean 'data.interactions.delimiter'?"),
        (("data", "zzz"), 1, "unknown key 'data.zzz'"),
        ((1,), 1, "unknown key '1'"),
    ],
)
def test_sentences(path, value, sentence):
    assert sentence in refusal(Place(path, (), {}).raw(value))


def test_an_unknown_key_is_shown_short_and_without_a_secret():
    said = refusal({**MINIMAL, "s3://KEY:hunter2@bucket/log.csv": 1})
    assert "hunter2" not in said
    assert len(refusal({**MINIMAL, "x" * 5000: 1})) < 400
